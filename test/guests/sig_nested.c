// Handlers nest: another signal arrives inside a handler, SA_NODEFER lets the same one in too
#include "guest.h"
static volatile int depth, deepest;
static void inner(int signo) {
  depth++;
  if (depth > deepest) deepest = depth;
  if (signo == SIGUSR1) raise(SIGUSR2);
  if (signo == SIGRTMIN && depth < 6) raise(SIGRTMIN);
  depth--;
}
int main(void) {
  on_signal(SIGUSR1, inner, 0);
  on_signal(SIGUSR2, inner, 0);
  on_signal(SIGRTMIN, inner, SA_NODEFER);
  OK(raise(SIGUSR1));
  CHECK(deepest == 2 && depth == 0);
  OK(raise(SIGRTMIN));
  CHECK(deepest == 6 && depth == 0);
  say("nested %d deep", deepest);
}
