// SIGEV_NONE timers are polled; a CPU-time timer fires after CPU time
#include "guest.h"
static volatile sig_atomic_t fired;
static void handler(int signo) { (void)signo, fired = 1; }
int main(void) {
  timer_t none, cpu;
  struct sigevent event = {.sigev_notify = SIGEV_NONE};
  OK(timer_create(CLOCK_MONOTONIC, &event, &none));
  OK(timer_settime(none, 0, &(struct itimerspec){.it_value = {10, 0}}, NULL));
  struct itimerspec left;
  OK(timer_gettime(none, &left));
  CHECK(left.it_value.tv_sec == 9);
  on_signal(SIGUSR1, handler, 0);
  event = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
  OK(timer_create(CLOCK_PROCESS_CPUTIME_ID, &event, &cpu));
  OK(timer_settime(cpu, 0, &(struct itimerspec){.it_value = {0, 15000000}}, NULL));
  volatile unsigned long work = 0;
  while (!fired) work++;
  OK(timer_delete(cpu));
  OK(timer_delete(none));
  FAILS(EINVAL, timer_delete(none));
  say("left %ld ns, work %lu", left.it_value.tv_nsec, work);
}
