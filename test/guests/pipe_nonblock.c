// Non-blocking pipe: EAGAIN when empty, partial write when full; F_SETPIPE_SZ
#include "guest.h"
#include <poll.h>
int main(void) {
  int fds[2];
  OK(pipe2(fds, O_NONBLOCK | O_CLOEXEC));
  char buffer[70000];
  memset(buffer, 'x', sizeof buffer);
  FAILS(EAGAIN, read(fds[0], buffer, 1));
  ssize_t n = OK(write(fds[1], buffer, sizeof buffer));
  FAILS(EAGAIN, write(fds[1], buffer, 4096));
  struct pollfd p[2] = {{fds[0], POLLIN, 0}, {fds[1], POLLOUT, 0}};
  CHECK(poll(p, 2, 0) == 1 && p[0].revents == POLLIN && p[1].revents == 0);
  say("a pipe of %d took %zd", OK(fcntl(fds[1], F_GETPIPE_SZ)), n);
  CHECK(read(fds[0], buffer, sizeof buffer) == n);
  say("resized to %d", fcntl(fds[1], F_SETPIPE_SZ, 16384));
  OK(close(fds[1]));
  CHECK(read(fds[0], buffer, 1) == 0);
  CHECK(poll(p, 1, 0) == 1 && (p[0].revents & POLLHUP));
}
