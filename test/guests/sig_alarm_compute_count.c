// alarm during a loop that counts: the count when the signal came is printed
#include "guest.h"
#include <sys/time.h>
static volatile sig_atomic_t flag;
static volatile unsigned long counter, counter_at_signal;
static void handler(int signo) { (void)signo, flag = 1, counter_at_signal = counter; }
int main(void) {
  on_signal(SIGALRM, handler, 0);
  OK(setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 30000}}, NULL));
  while (!flag) counter++;
  say("signal at %lu, end at %lu", counter_at_signal, counter);
}
