// SA_RESETHAND: the second signal takes the default action
#include "guest.h"
static void handler(int signo) { say("first %d", signo); }
int main(void) {
  pid_t child = OK(fork());
  if (child == 0) {
    on_signal(SIGTERM, handler, SA_RESETHAND);
    raise(SIGTERM);
    raise(SIGTERM);
    _exit(0);
  }
  CHECK(WTERMSIG(reap(child)) == SIGTERM);
  say("second killed");
}
