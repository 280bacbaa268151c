// Death by division by zero
// expect-signal: 8
#include "guest.h"
int main(void) {
  volatile int zero = 0;
  say("dividing");
  return 5 / zero;
}
