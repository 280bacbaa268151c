// A handler runs on raise and returns to where it came from
#include "guest.h"
static volatile sig_atomic_t count;
static void handler(int signo) { count += signo; }
int main(void) {
  on_signal(SIGUSR1, handler, 0);
  for (int i = 0; i < 10; i++) OK(raise(SIGUSR1));
  CHECK(count == 10 * SIGUSR1);
  say("handled, sum %d", (int)count);
}
