// Ignored signals and the mask survive exec, handlers do not; the program executes itself
#include "guest.h"
static void handler(int signo) { (void)signo; }
int main(int argc, char** argv) {
  struct sigaction old;
  sigset_t mask;
  if (argc == 1) {
    signal(SIGUSR1, SIG_IGN);
    on_signal(SIGUSR2, handler, 0);
    sigemptyset(&mask);
    sigaddset(&mask, SIGWINCH);
    OK(sigprocmask(SIG_BLOCK, &mask, NULL));
    OK(execl("/proc/self/exe", argv[0], "again", NULL));
  }
  OK(sigaction(SIGUSR1, NULL, &old));
  CHECK(old.sa_handler == SIG_IGN);
  OK(sigaction(SIGUSR2, NULL, &old));
  CHECK(old.sa_handler == SIG_DFL);
  OK(sigprocmask(SIG_BLOCK, NULL, &mask));
  CHECK(sigismember(&mask, SIGWINCH) == 1);
  say("inherited as it should be");
}
