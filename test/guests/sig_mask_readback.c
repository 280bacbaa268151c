// Every signal of the mask reads back as it was set, SIGSYS and the realtime ones included
#include "guest.h"
int main(void) {
  for (int signo = 1; signo <= 64; signo++) {
    if (signo == 32 || signo == 33) continue;  // glibc's own
    sigset_t set, got;
    sigemptyset(&set);
    sigaddset(&set, signo);
    OK(sigprocmask(SIG_SETMASK, &set, NULL));
    OK(sigprocmask(SIG_BLOCK, NULL, &got));
    bool unblockable = signo == SIGKILL || signo == SIGSTOP;
    CHECK(sigismember(&got, signo) == !unblockable);
  }
  sigset_t full, got;
  sigfillset(&full);
  OK(sigprocmask(SIG_SETMASK, &full, NULL));
  OK(sigprocmask(SIG_SETMASK, NULL, &got));
  unsigned long word;
  memcpy(&word, &got, sizeof word);
  say("full mask reads back as %#lx", word);
}
