// timer_create with SIGEV_SIGNAL: a periodic timer, its value, overrun, gettime, and settime's old value
#include "guest.h"
static volatile sig_atomic_t ticks, value;
static void handler(int signo, siginfo_t* info, void* context) {
  (void)signo, (void)context, ticks++, value = info->si_value.sival_int;
}
int main(void) {
  on_siginfo(SIGRTMIN, handler, 0);
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN, .sigev_value.sival_int = 77};
  OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
  struct itimerspec spec = {{0, 4000000}, {0, 4000000}}, old;
  OK(timer_settime(timer, 0, &spec, &old));
  CHECK(old.it_value.tv_nsec == 0);
  while (ticks < 4) pause();
  CHECK(value == 77);
  OK(timer_gettime(timer, &spec));
  int overrun = OK(timer_getoverrun(timer));
  OK(timer_delete(timer));
  say("%d ticks, overrun %d, next in %ld ns", (int)ticks, overrun, spec.it_value.tv_nsec);
}
