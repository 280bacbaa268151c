// fork: pids, ppid, copied memory, exit status
#include "guest.h"
int main(void) {
  int variable = 1;
  pid_t parent = getpid();
  pid_t child = OK(fork());
  if (child == 0) {
    CHECK(getppid() == parent && getpid() != parent);
    variable = 2;
    say("child %d of %d", (int)getpid(), (int)getppid());
    _exit(33);
  }
  int status = reap(child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 33 && variable == 1);
  say("parent %d reaped %d", (int)getpid(), (int)child);
}
