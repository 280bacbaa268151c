// A core dump to a scratch directory: the wait status may carry the core flag
#include "guest.h"
#include <sys/resource.h>
int main(void) {
  scratch();
  setrlimit(RLIMIT_CORE, &(struct rlimit){1 << 20, 1 << 20});
  pid_t child = OK(fork());
  if (child == 0) {
    raise(SIGQUIT);
    _exit(0);
  }
  int status = reap(child);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGQUIT);
  say("status %#x, core %d", status, WCOREDUMP(status) != 0);
}
