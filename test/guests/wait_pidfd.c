// pidfd_open, pidfd_send_signal, poll on it, waitid(P_PIDFD), pidfd_getfd
#include "guest.h"
#include <poll.h>
int main(void) {
  int fds[2];
  OK(pipe(fds));
  pid_t child = OK(fork());
  if (child == 0)
    for (;;) pause();
  int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
  if (pidfd < 0) UNAVAILABLE("pidfd_open");
  struct pollfd p = {pidfd, POLLIN, 0};
  CHECK(poll(&p, 1, 0) == 0);
  long copy = syscall(438 /* pidfd_getfd */, pidfd, fds[0], 0);
  say("pidfd %d, its descriptor copied: %s", pidfd, copy >= 0 ? "yes" : strerror(errno));
  OK((int)syscall(SYS_pidfd_send_signal, pidfd, SIGTERM, NULL, 0));
  CHECK(poll(&p, 1, 2000) == 1 && (p.revents & POLLIN));
  siginfo_t info;
  OK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED));
  CHECK(info.si_status == SIGTERM && info.si_pid == child);
  FAILS(ESRCH, syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0));
}
