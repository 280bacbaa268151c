// Exit statuses from _exit, exit, return, exit_group; only eight bits survive
#include "guest.h"
int main(void) {
  static const int codes[] = {0, 1, 127, 128, 255, 256, 257, -1};
  for (int i = 0; i < 8; i++) {
    pid_t child = OK(fork());
    if (child == 0) {
      if (i % 3 == 0) _exit(codes[i]);
      if (i % 3 == 1) exit(codes[i]);
      syscall(SYS_exit, codes[i]);
    }
    int status = reap(child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == (codes[i] & 255));
  }
  say("eight statuses");
}
