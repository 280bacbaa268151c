// A fault inside the SEGV handler, with SIGSEGV blocked, is fatal
// expect-signal: 11
#include "guest.h"
static void handler(int signo) {
  say("handler for %d", signo);
  *(volatile int*)16 = 1;
}
int main(void) {
  on_signal(SIGSEGV, handler, 0);
  *(volatile int*)8 = 1;
  return 1;
}
