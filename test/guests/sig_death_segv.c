// Death by a wild write (no handler)
// expect-signal: 11
#include "guest.h"
int main(void) {
  say("about to fault");
  *(volatile int*)8 = 1;
  return 1;
}
