// alarm breaks an endless computation with siglongjmp out of the handler
#include "guest.h"
#include <setjmp.h>
#include <sys/time.h>
static sigjmp_buf back;
static volatile unsigned long counter;
static void handler(int signo) { siglongjmp(back, signo); }
int main(void) {
  on_signal(SIGALRM, handler, 0);
  if (sigsetjmp(back, 1) == 0) {
    OK(setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 20000}}, NULL));
    for (;;) counter++;
  }
  say("left at %lu", counter);
}
