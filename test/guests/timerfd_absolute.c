// timerfd with an absolute time on CLOCK_REALTIME, blocking read
#include "guest.h"
#include <sys/timerfd.h>
int main(void) {
  int fd = OK(timerfd_create(CLOCK_REALTIME, 0));
  int64_t when = clock_ns(CLOCK_REALTIME) + 20000000;
  struct itimerspec spec = {.it_value = {when / 1000000000, when % 1000000000}};
  OK(timerfd_settime(fd, TFD_TIMER_ABSTIME, &spec, NULL));
  uint64_t n;
  CHECK(read(fd, &n, 8) == 8 && n == 1);
  int64_t late = clock_ns(CLOCK_REALTIME) - when;
  CHECK(late >= 0);
  say("late by %ld ns", (long)late);
}
