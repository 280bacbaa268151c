// A handler changes the mask in its ucontext: the change holds after it returns
#include "guest.h"
#include <ucontext.h>
static void handler(int signo, siginfo_t* info, void* context) {
  (void)signo, (void)info;
  sigaddset(&((ucontext_t*)context)->uc_sigmask, SIGUSR2);
}
int main(void) {
  on_siginfo(SIGUSR1, handler, 0);
  OK(raise(SIGUSR1));
  sigset_t now;
  OK(sigprocmask(SIG_BLOCK, NULL, &now));
  CHECK(sigismember(&now, SIGUSR2) == 1 && sigismember(&now, SIGUSR1) == 0);
  say("mask changed through the context");
}
