// sigaction returns what was set before: handler, flags, mask; the unhandleable are refused
#include "guest.h"
static void handler(int signo) { (void)signo; }
int main(void) {
  FAILS(EINVAL, sigaction(SIGKILL, &(struct sigaction){.sa_handler = handler}, NULL));
  FAILS(EINVAL, sigaction(SIGSTOP, &(struct sigaction){.sa_handler = SIG_IGN}, NULL));
  for (int signo = 1; signo <= 64; signo++) {
    if (signo == SIGKILL || signo == SIGSTOP || signo == 32 || signo == 33) continue;
    struct sigaction old, set = {.sa_handler = handler, .sa_flags = SA_RESTART | SA_NODEFER | SA_ONSTACK};
    sigemptyset(&set.sa_mask);
    sigaddset(&set.sa_mask, SIGSYS);
    sigaddset(&set.sa_mask, SIGHUP);
    OK(sigaction(signo, &set, &old));
    say("signal %d was %s", signo,
        old.sa_handler == SIG_DFL   ? "default"
        : old.sa_handler == SIG_IGN ? "ignored"
                                    : "handled");
    OK(sigaction(signo, NULL, &old));
    CHECK(old.sa_handler == handler &&
          (old.sa_flags & (SA_RESTART | SA_NODEFER | SA_ONSTACK)) == (SA_RESTART | SA_NODEFER | SA_ONSTACK));
    CHECK(sigismember(&old.sa_mask, SIGSYS) == 1 && sigismember(&old.sa_mask, SIGHUP) == 1 &&
          sigismember(&old.sa_mask, SIGINT) == 0);
  }
}
