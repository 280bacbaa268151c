// alarm during `while (!flag);`: the handler ends a loop that makes no call and changes no memory
#include "guest.h"
#include <sys/time.h>
static volatile sig_atomic_t flag;
static void handler(int signo) { (void)signo, flag = 1; }
int main(void) {
  on_signal(SIGALRM, handler, 0);
  OK(setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 30000}}, NULL));
  while (!flag) {}
  say("flag seen");
}
