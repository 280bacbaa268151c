// A tree of processes, three deep, each with three children
#include "guest.h"
static int grow(int depth) {
  if (depth == 0) return 1;
  int sum = 1;
  pid_t children[3];
  for (int i = 0; i < 3; i++) {
    children[i] = OK(fork());
    if (children[i] == 0) _exit(grow(depth - 1));
  }
  for (int i = 0; i < 3; i++) sum += WEXITSTATUS(reap(children[i]));
  return sum;
}
int main(void) {
  int count = grow(3);
  CHECK(count == 40);
  say("%d processes, root %d", count, (int)getpid());
}
