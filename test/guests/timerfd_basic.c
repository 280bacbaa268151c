// timerfd: one shot, periodic, poll, non-blocking, expirations, gettime
#include "guest.h"
#include <poll.h>
#include <sys/timerfd.h>
int main(void) {
  int fd = OK(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
  uint64_t expirations;
  FAILS(EAGAIN, read(fd, &expirations, 8));
  struct itimerspec spec = {{0, 3000000}, {0, 5000000}}, now;
  OK(timerfd_settime(fd, 0, &spec, NULL));
  struct pollfd p = {fd, POLLIN, 0};
  for (int i = 0; i < 4; i++) {
    CHECK(poll(&p, 1, 1000) == 1);
    CHECK(read(fd, &expirations, 8) == 8 && expirations >= 1);
    say("expired %lu times", (unsigned long)expirations);
  }
  OK(timerfd_gettime(fd, &now));
  CHECK(now.it_interval.tv_nsec == 3000000);
  OK(timerfd_settime(fd, 0, &(struct itimerspec){0}, NULL));
  FAILS(EINVAL, read(fd, &expirations, 4));
  OK(close(fd));
}
