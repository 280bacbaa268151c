// kill(getpid()) is delivered before kill returns; siginfo names the sender
#include "guest.h"
static volatile sig_atomic_t code, sender;
static void handler(int signo, siginfo_t* info, void* context) {
  (void)signo, (void)context;
  code = info->si_code, sender = info->si_pid;
}
int main(void) {
  on_siginfo(SIGUSR2, handler, 0);
  OK(kill(getpid(), SIGUSR2));
  CHECK(code == SI_USER && sender == getpid());
  say("from %d, uid %d", (int)sender, (int)getuid());
}
