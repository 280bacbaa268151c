// PR_SET_PDEATHSIG: a child is told when its parent ends
#include "guest.h"
#include <sys/prctl.h>
static volatile sig_atomic_t told;
static void handler(int signo) { (void)signo, told = 1; }
int main(void) {
  OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  int fds[2];
  OK(pipe(fds));
  pid_t child = OK(fork());
  if (child == 0) {
    if (OK(fork()) == 0) {
      on_signal(SIGUSR1, handler, 0);
      OK(prctl(PR_SET_PDEATHSIG, SIGUSR1));
      CHECK(write(fds[1], "r", 1) == 1);
      for (int i = 0; i < 1000 && !told; i++) sleep_ms(1);
      _exit(told ? 0 : 1);
    }
    char c;
    CHECK(read(fds[0], &c, 1) == 1);
    _exit(0);
  }
  reap_ok(child);
  int status;
  pid_t orphan = OK(wait(&status));
  CHECK(WEXITSTATUS(status) == 0);
  say("orphan %d was told", (int)orphan);
}
