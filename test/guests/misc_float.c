// Floating point: rounding modes, exceptions, denormals, x87, the environment kept over calls
// link: -lm
#include "guest.h"
#include <fenv.h>
#include <math.h>
int main(void) {
  static const int modes[] = {FE_TONEAREST, FE_UPWARD, FE_DOWNWARD, FE_TOWARDZERO};
  volatile double one = 1.0, three = 3.0;
  for (int i = 0; i < 4; i++) {
    CHECK(fesetround(modes[i]) == 0);
    getppid();
    CHECK(fegetround() == modes[i]);
    say("1/3 = %a", one / three);
  }
  fesetround(FE_TONEAREST);
  feclearexcept(FE_ALL_EXCEPT);
  volatile double zero = 0.0, infinite = one / zero;
  getppid();
  CHECK(isinf(infinite) && fetestexcept(FE_DIVBYZERO));
  volatile long double extended = 1.0L / 3.0L;
  getppid();
  say("%La", (long double)extended);
}
