// Each process forks the next, thirty generations
#include "guest.h"
int main(void) {
  pid_t root = getpid();
  for (int i = 0; i < 30; i++) {
    pid_t child = OK(fork());
    if (child != 0) {
      int status = reap(child);
      if (getpid() == root) {
        say("thirty generations gave %d", WEXITSTATUS(status));
        CHECK(WEXITSTATUS(status) == 30);
        return 0;
      }
      _exit(WEXITSTATUS(status) + 1);
    }
  }
  _exit(1);
}
