// A parent kills a computing child and a sleeping one
#include "guest.h"
int main(void) {
  pid_t busy = OK(fork());
  if (busy == 0)
    for (volatile unsigned long i = 0;; i++) {}
  pid_t idle = OK(fork());
  if (idle == 0)
    for (;;) sleep_ms(1000);
  sleep_ms(15);
  OK(kill(busy, SIGKILL));
  OK(kill(idle, SIGTERM));
  int status = reap(busy);
  CHECK(WTERMSIG(status) == SIGKILL);
  status = reap(idle);
  CHECK(WTERMSIG(status) == SIGTERM);
  say("killed %d and %d", (int)busy, (int)idle);
}
