// nanosleep, usleep, clock_nanosleep relative and absolute on three clocks
#include "guest.h"
int main(void) {
  int64_t start = clock_ns(CLOCK_MONOTONIC);
  OK(nanosleep(&(struct timespec){0, 3000000}, NULL));
  OK(usleep(2000));
  ZERO(clock_nanosleep(CLOCK_REALTIME, 0, &(struct timespec){0, 2000000}, NULL));
  static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME};
  for (int i = 0; i < 3; i++) {
    int64_t until = clock_ns(clocks[i]) + 3000000;
    struct timespec t = {until / 1000000000, until % 1000000000};
    ZERO(clock_nanosleep(clocks[i], TIMER_ABSTIME, &t, NULL));
    int64_t late = clock_ns(clocks[i]) - until;
    CHECK(late >= 0);
    say("clock %d: late by %ld ns", (int)clocks[i], (long)late);
  }
  CHECK(clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &(struct timespec){0, 1}, NULL) == EINVAL);
  FAILS(EINVAL, nanosleep(&(struct timespec){0, 1000000000}, NULL));
  int64_t took = clock_ns(CLOCK_MONOTONIC) - start;
  CHECK(took >= 16000000);
  say("took %ld ns", (long)took);
}
