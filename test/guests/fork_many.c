// Fifty children at once; reaped in whatever order they end
#include "guest.h"
int main(void) {
  for (int i = 0; i < 50; i++)
    if (OK(fork()) == 0) {
      for (volatile int k = 0; k < (50 - i) * 1000; k++) {}
      _exit(i);
    }
  int seen = 0, status;
  unsigned long hash = 0;
  for (pid_t pid; (pid = wait(&status)) > 0;) {
    seen++;
    hash = hash * 53 + (unsigned long)WEXITSTATUS(status);
  }
  CHECK(seen == 50 && errno == ECHILD);
  say("order hash %lx", hash);
}
