// Death by SIGKILL sent to itself
// expect-signal: 9
#include "guest.h"
int main(void) {
  say("pid %d kills itself", (int)getpid());
  OK(kill(getpid(), SIGKILL));
  return 1;
}
