// Death by SIGALRM in a computation
// expect-signal: 14
#include "guest.h"
#include <sys/time.h>
int main(void) {
  say("computing");
  OK(setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 20000}}, NULL));
  for (volatile unsigned long i = 0;; i++) {}
}
