// The default action of a realtime signal is death
#include "guest.h"
int main(void) {
  pid_t child = OK(fork());
  if (child == 0) {
    raise(SIGRTMIN + 5);
    _exit(0);
  }
  int status = reap(child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGRTMIN + 5);
  say("child %d died of %d", (int)child, WTERMSIG(status));
}
