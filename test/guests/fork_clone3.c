// clone3 as fork with a pidfd; wrong sizes are refused
#include "guest.h"
#include <linux/sched.h>
#include <poll.h>
int main(void) {
  int pidfd = -1;
  struct clone_args args = {.flags = CLONE_PIDFD, .pidfd = (uintptr_t)&pidfd, .exit_signal = SIGCHLD};
  long child = syscall(SYS_clone3, &args, sizeof args);
  if (child < 0 && errno == ENOSYS) UNAVAILABLE("clone3");
  CHECK(child >= 0);
  if (child == 0) _exit(11);
  struct pollfd p = {pidfd, POLLIN, 0};
  CHECK(poll(&p, 1, 2000) == 1);
  siginfo_t info;
  OK(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED));
  CHECK(info.si_status == 11 && info.si_pid == child);
  say("clone3 child %ld", child);
  FAILS(EINVAL, syscall(SYS_clone3, &args, 8));
}
