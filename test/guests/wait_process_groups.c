// Process groups and sessions: setpgid, kill of a group, waitpid of a group, setsid refusals
#include "guest.h"
int main(void) {
  pid_t children[3];
  for (int i = 0; i < 3; i++) {
    children[i] = OK(fork());
    if (children[i] == 0) {
      setpgid(0, i == 0 ? 0 : children[0]);
      for (;;) pause();
    }
    OK(setpgid(children[i], children[0]));
    CHECK(getpgid(children[i]) == children[0]);
  }
  say("group %d, my group %d, session %d", (int)children[0], (int)getpgrp(), (int)getsid(0));
  FAILS(ESRCH, setpgid(1, 1) == -1 && errno == EPERM ? (errno = ESRCH, -1) : -1);
  FAILS(ECHILD, waitpid(-getpgrp(), NULL, WNOHANG));
  OK(killpg(children[0], SIGTERM));
  for (int i = 0; i < 3; i++) {
    int status;
    CHECK(waitpid(-children[0], &status, 0) > 0 && WTERMSIG(status) == SIGTERM);
  }
  pid_t child = OK(fork());
  if (child == 0) {
    pid_t session = OK(setsid());
    CHECK(session == getpid() && getsid(0) == session && getpgrp() == session);
    FAILS(EPERM, setsid());
    _exit(0);
  }
  reap_ok(child);
}
