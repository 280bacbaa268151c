// futex_waitv over several words
#include "guest.h"
#include <linux/futex.h>
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
struct waiter {
  uint64_t value, address;
  uint32_t flags, reserved;
};
int main(void) {
  uint32_t words[2] = {1, 2};
  struct waiter waiters[2] = {{1, (uint64_t)(uintptr_t)&words[0], 2, 0}, {3, (uint64_t)(uintptr_t)&words[1], 2, 0}};
  long result = syscall(SYS_futex_waitv, waiters, 2, 0, NULL, 0);
  if (result < 0 && errno == ENOSYS) UNAVAILABLE("futex_waitv");
  CHECK(result == -1 && errno == EAGAIN);
  waiters[1].value = 2;
  int64_t until = clock_ns(CLOCK_MONOTONIC) + 3000000;
  struct timespec t = {until / 1000000000, until % 1000000000};
  FAILS(ETIMEDOUT, syscall(SYS_futex_waitv, waiters, 2, 0, &t, CLOCK_MONOTONIC));
  say("futex_waitv timed out");
}
