// Death by SIGTERM sent to itself
// expect-signal: 15
#include "guest.h"
int main(void) {
  say("pid %d ends itself", (int)getpid());
  OK(kill(getpid(), SIGTERM));
  return 1;
}
