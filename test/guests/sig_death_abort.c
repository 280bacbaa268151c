// abort: SIGABRT, through a handler that returns
// expect-signal: 6
#include "guest.h"
static void handler(int signo) { say("handler for %d", signo); }
int main(void) {
  on_signal(SIGABRT, handler, 0);
  abort();
}
