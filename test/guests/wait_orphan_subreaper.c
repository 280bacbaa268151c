// A subreaper adopts the grandchildren whose parents end
#include "guest.h"
#include <sys/prctl.h>
int main(void) {
  OK(prctl(PR_SET_CHILD_SUBREAPER, 1));
  int is = 0;
  OK(prctl(PR_GET_CHILD_SUBREAPER, &is));
  CHECK(is == 1);
  pid_t child = OK(fork());
  if (child == 0) {
    pid_t grandchild = OK(fork());
    if (grandchild == 0) {
      pid_t old = getppid();
      for (int i = 0; i < 500 && getppid() == old; i++) sleep_ms(1);
      _exit(3);
    }
    _exit(0);
  }
  reap_ok(child);
  int status;
  pid_t adopted = OK(wait(&status));
  CHECK(adopted != child && WEXITSTATUS(status) == 3);
  say("adopted %d of %d", (int)adopted, (int)child);
}
