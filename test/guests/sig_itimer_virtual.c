// ITIMER_VIRTUAL counts CPU time of the process in user mode
#include "guest.h"
#include <sys/time.h>
static volatile sig_atomic_t ticks;
static void handler(int signo) { (void)signo, ticks++; }
int main(void) {
  on_signal(SIGVTALRM, handler, SA_RESTART);
  OK(setitimer(ITIMER_VIRTUAL, &(struct itimerval){{0, 10000}, {0, 10000}}, NULL));
  volatile unsigned long work = 0;
  while (ticks < 3) work++;
  OK(setitimer(ITIMER_VIRTUAL, &(struct itimerval){0}, NULL));
  say("%d ticks after %lu steps", (int)ticks, work);
}
