// sigsuspend waits with another mask, atomically, and puts the old one back
#include "guest.h"
static volatile sig_atomic_t got;
static void handler(int signo) { got = signo; }
int main(void) {
  on_signal(SIGUSR1, handler, 0);
  sigset_t block, old, now;
  sigemptyset(&block);
  sigaddset(&block, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &block, &old));
  pid_t child = OK(fork());
  if (child == 0) {
    OK(kill(getppid(), SIGUSR1));
    _exit(0);
  }
  while (!got) FAILS(EINTR, sigsuspend(&old));
  OK(sigprocmask(SIG_SETMASK, NULL, &now));
  CHECK(sigismember(&now, SIGUSR1) == 1);
  reap_ok(child);
  say("suspended until %d", (int)got);
}
