// setitimer ITIMER_REAL with an interval, while sleeping; getitimer; alarm returns the rest
#include "guest.h"
#include <sys/time.h>
static volatile sig_atomic_t ticks;
static void handler(int signo) { (void)signo, ticks++; }
int main(void) {
  on_signal(SIGALRM, handler, 0);
  OK(setitimer(ITIMER_REAL, &(struct itimerval){{0, 5000}, {0, 5000}}, NULL));
  while (ticks < 5) pause();
  struct itimerval left, old;
  OK(getitimer(ITIMER_REAL, &left));
  CHECK(left.it_interval.tv_usec == 5000);
  OK(setitimer(ITIMER_REAL, &(struct itimerval){0}, &old));
  alarm(100);
  unsigned rest = alarm(0);
  CHECK(rest >= 99 && rest <= 100);
  say("%d ticks, left %ld us, alarm left %u", (int)ticks, (long)left.it_value.tv_usec, rest);
}
