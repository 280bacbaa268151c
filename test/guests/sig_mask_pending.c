// Blocked signals stay pending, are listed by sigpending, and come on unblocking
#include "guest.h"
static volatile sig_atomic_t seen;
static void handler(int signo) { seen |= 1 << (signo == SIGUSR1 ? 0 : 1); }
int main(void) {
  on_signal(SIGUSR1, handler, 0);
  on_signal(SIGUSR2, handler, 0);
  sigset_t set, old, pending;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGUSR2);
  OK(sigprocmask(SIG_BLOCK, &set, &old));
  OK(kill(getpid(), SIGUSR1));
  OK(kill(getpid(), SIGUSR1));
  OK(sigpending(&pending));
  CHECK(seen == 0 && sigismember(&pending, SIGUSR1) == 1 && sigismember(&pending, SIGUSR2) == 0);
  OK(raise(SIGUSR2));
  OK(sigprocmask(SIG_SETMASK, &old, NULL));
  CHECK(seen == 3);
  OK(sigprocmask(SIG_SETMASK, NULL, &set));
  CHECK(sigismember(&set, SIGUSR1) == 0);
  say("seen %d", (int)seen);
}
