// adjtimex and clock_adjtime read the state of the clock; setting it is refused or not tried
#include "guest.h"
#include <sys/timex.h>
int main(void) {
  struct timex t = {0};
  int state = adjtimex(&t);
  if (state < 0) UNAVAILABLE("adjtimex");
  say("state %d freq %ld tick %ld time %ld.%06ld", state, t.freq, t.tick, (long)t.time.tv_sec, (long)t.time.tv_usec);
  struct timex u = {0};
  OK(clock_adjtime(CLOCK_REALTIME, &u));
  say("status %#x maxerror %ld", u.status, u.maxerror);
}
