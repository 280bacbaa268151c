// O_DIRECT pipes keep packets apart
#include "guest.h"
int main(void) {
  int fds[2];
  if (pipe2(fds, O_DIRECT) < 0) UNAVAILABLE("packet pipes");
  CHECK(write(fds[1], "first", 5) == 5 && write(fds[1], "second", 6) == 6);
  char text[32] = "";
  CHECK(read(fds[0], text, 32) == 5);
  CHECK(read(fds[0], text, 3) == 3);
  CHECK(write(fds[1], "third", 5) == 5);
  CHECK(read(fds[0], text, 32) == 5 && memcmp(text, "third", 5) == 0);
  say("packets kept apart");
}
