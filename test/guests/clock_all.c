// clock_gettime and clock_getres of every clock, through the vDSO and as raw calls
#include "guest.h"
int main(void) {
  for (int clock = 0; clock < 12; clock++) {
    struct timespec t, raw, res;
    if (clock_gettime(clock, &t) < 0) {
      say("clock %d: %s", clock, strerror(errno));
      continue;
    }
    OK((int)syscall(SYS_clock_gettime, clock, &raw));
    OK(clock_getres(clock, &res));
    say("clock %d: %ld.%09ld then %ld.%09ld res %ld", clock, (long)t.tv_sec, t.tv_nsec, (long)raw.tv_sec, raw.tv_nsec,
        res.tv_nsec);
    CHECK(raw.tv_sec > t.tv_sec || (raw.tv_sec == t.tv_sec && raw.tv_nsec >= t.tv_nsec) || clock == CLOCK_REALTIME ||
          clock == CLOCK_TAI || clock > 7 || clock == 5);
  }
}
