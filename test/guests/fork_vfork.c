// vfork: the child runs in the parent's memory until it execs or exits
#include "guest.h"
static volatile int touched;
int main(void) {
  for (int i = 0; i < 5; i++) {
    pid_t child = vfork();
    CHECK(child >= 0);
    if (child == 0) {
      touched++;
      _exit(touched);
    }
    int status = reap(child);
    CHECK(touched == i + 1 && WEXITSTATUS(status) == i + 1);
  }
  pid_t child = vfork();
  if (child == 0) {
    execl("/bin/true", "true", NULL);
    _exit(127);
  }
  reap_ok(child);
  child = vfork();
  if (child == 0) {
    execl("/nonexistent/program", "x", NULL);
    _exit(errno);
  }
  CHECK(WEXITSTATUS(reap(child)) == ENOENT);
  say("vfork seven times, last %d", (int)child);
}
