// The program's own SIGSYS handler works for a SIGSYS that somebody sends
#include "guest.h"
static volatile sig_atomic_t got;
static void handler(int signo, siginfo_t* info, void* context) { (void)context, got = signo + info->si_code; }
int main(void) {
  on_siginfo(SIGSYS, handler, 0);
  OK(kill(getpid(), SIGSYS));
  CHECK(got == SIGSYS + SI_USER);
  for (int i = 0; i < 100; i++) CHECK(getppid() >= 0);
  sigset_t set;
  sigfillset(&set);
  OK(sigprocmask(SIG_SETMASK, &set, NULL));
  for (int i = 0; i < 100; i++) CHECK(getppid() >= 0);
  OK(kill(getpid(), SIGSYS));
  siginfo_t info;
  CHECK(sigwaitinfo(&set, &info) == SIGSYS);
  say("SIGSYS belongs to the program: %d", (int)got);
}
