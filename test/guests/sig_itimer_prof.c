// ITIMER_PROF: a sampling profiler over a computation that makes calls
#include "guest.h"
#include <sys/time.h>
static volatile sig_atomic_t samples;
static void handler(int signo) { (void)signo, samples++; }
int main(void) {
  on_signal(SIGPROF, handler, SA_RESTART);
  OK(setitimer(ITIMER_PROF, &(struct itimerval){{0, 5000}, {0, 5000}}, NULL));
  unsigned long calls = 0;
  while (samples < 4) calls += getppid() != 0;
  OK(setitimer(ITIMER_PROF, &(struct itimerval){0}, NULL));
  say("%d samples in %lu calls", (int)samples, calls);
}
