// SA_NOCLDWAIT and ignored SIGCHLD: no zombies, wait gives ECHILD
#include "guest.h"
int main(void) {
  on_signal(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
  pid_t child = OK(fork());
  if (child == 0) _exit(1);
  FAILS(ECHILD, waitpid(child, NULL, 0));
  signal(SIGCHLD, SIG_IGN);
  child = OK(fork());
  if (child == 0) _exit(1);
  FAILS(ECHILD, wait(NULL));
  say("no zombie of %d", (int)child);
}
