// A handler forks, and both processes return from it
#include "guest.h"
static volatile pid_t child = -1;
static void handler(int signo) { (void)signo, child = fork(); }
int main(void) {
  on_signal(SIGUSR1, handler, 0);
  OK(raise(SIGUSR1));
  if (child == 0) _exit(21);
  int status = reap(child);
  CHECK(WEXITSTATUS(status) == 21);
  say("child %d from the handler", (int)child);
}
