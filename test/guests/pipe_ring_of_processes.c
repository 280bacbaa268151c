// A token goes around a ring of eight processes, two hundred hops
#include "guest.h"
int main(void) {
  int fds[8][2];
  for (int i = 0; i < 8; i++) OK(pipe(fds[i]));
  for (int i = 1; i < 8; i++)
    if (OK(fork()) == 0) {
      int token;
      for (int round = 0; round < 25; round++) {
        CHECK(read(fds[i - 1][0], &token, 4) == 4);
        token++;
        CHECK(write(fds[i][1], &token, 4) == 4);
      }
      _exit(0);
    }
  int token = 0;
  for (int round = 0; round < 25; round++) {
    CHECK(write(fds[0][1], &token, 4) == 4);
    CHECK(read(fds[7][0], &token, 4) == 4);
    token++;
  }
  for (int i = 1; i < 8; i++) OK(wait(NULL));
  CHECK(token == 200);
  say("token %d", token);
}
