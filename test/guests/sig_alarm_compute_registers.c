// alarm during a loop whose counter lives in a register only
#include "guest.h"
#include <sys/time.h>
static volatile sig_atomic_t flag;
static void handler(int signo) { (void)signo, flag = 1; }
int main(void) {
  on_signal(SIGALRM, handler, 0);
  for (int round = 0; round < 3; round++) {
    flag = 0;
    OK(setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 15000}}, NULL));
    uint64_t x = 88172645463325252u, steps = 0;
    while (!flag) x ^= x << 13, x ^= x >> 7, x ^= x << 17, steps++;
    say("round %d: %lu steps, state %lx", round, (unsigned long)steps, (unsigned long)x);
  }
}
