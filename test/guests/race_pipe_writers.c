// Five processes write to one pipe; the reader prints the order
#include "guest.h"
int main(void) {
  int fds[2];
  OK(pipe(fds));
  for (int i = 0; i < 5; i++)
    if (OK(fork()) == 0) {
      for (int k = 0; k < 12; k++) {
        char c = (char)('A' + i);
        CHECK(write(fds[1], &c, 1) == 1);
        for (volatile int spin = 0; spin < 500 * i; spin++) {}
      }
      _exit(0);
    }
  OK(close(fds[1]));
  char order[61] = "";
  for (ssize_t n, at = 0; (n = OK(read(fds[0], order + at, (size_t)(60 - at)))) > 0;) at += n;
  for (int i = 0; i < 5; i++) OK(wait(NULL));
  CHECK(strlen(order) == 60);
  say("%s", order);
}
