// select and pselect: sets, timeout left over, bad descriptor, many descriptors
#include "guest.h"
#include <sys/select.h>
int main(void) {
  int fds[2];
  OK(pipe(fds));
  fd_set in, out;
  FD_ZERO(&in);
  FD_ZERO(&out);
  FD_SET(fds[0], &in);
  FD_SET(fds[1], &out);
  struct timeval limit = {1, 0};
  CHECK(select(fds[1] + 1, &in, &out, NULL, &limit) == 1 && !FD_ISSET(fds[0], &in) && FD_ISSET(fds[1], &out));
  say("left %ld.%06ld", (long)limit.tv_sec, (long)limit.tv_usec);
  limit = (struct timeval){0, 8000};
  FD_SET(fds[0], &in);
  CHECK(select(fds[0] + 1, &in, NULL, NULL, &limit) == 0 && limit.tv_usec == 0);
  CHECK(write(fds[1], "x", 1) == 1);
  FD_SET(fds[0], &in);
  CHECK(pselect(fds[0] + 1, &in, NULL, NULL, &(struct timespec){1, 0}, NULL) == 1);
  FD_ZERO(&in);
  FD_SET(30, &in);
  FAILS(EBADF, select(31, &in, NULL, NULL, &limit));
  OK(dup2(fds[0], 1000));
  FD_ZERO(&in);
  FD_SET(1000, &in);
  CHECK(select(1001, &in, NULL, NULL, NULL) == 1 && FD_ISSET(1000, &in));
  CHECK(select(0, NULL, NULL, NULL, &(struct timeval){0, 1000}) == 0);
}
