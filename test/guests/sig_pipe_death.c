// Death by SIGPIPE
// expect-signal: 13
#include "guest.h"
int main(void) {
  int fds[2];
  OK(pipe(fds));
  OK(close(fds[0]));
  signal(SIGPIPE, SIG_DFL);
  say("about to write");
  (void)!write(fds[1], "x", 1);
  say("not reached");
  return 1;
}
