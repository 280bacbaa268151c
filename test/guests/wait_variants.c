// wait4 with rusage, waitid with every id type, WNOHANG, WNOWAIT, ECHILD
#include "guest.h"
#include <sys/resource.h>
int main(void) {
  struct rusage usage;
  siginfo_t info;
  int status;
  FAILS(ECHILD, wait(&status));
  FAILS(EINVAL, waitpid(-1, &status, 0x1000));
  int fds[2];
  OK(pipe(fds));
  pid_t child = OK(fork());
  if (child == 0) {
    char c;
    close(fds[1]);
    (void)!read(fds[0], &c, 1);
    _exit(9);
  }
  CHECK(waitpid(child, &status, WNOHANG) == 0);
  info.si_pid = 77;
  OK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG));
  CHECK(info.si_pid == 0);
  OK(close(fds[1]));
  OK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
  CHECK(info.si_pid == child && info.si_code == CLD_EXITED && info.si_status == 9);
  OK(waitid(P_PGID, (id_t)getpgrp(), &info, WEXITED | WNOWAIT));
  OK(waitid(P_ALL, 0, &info, WEXITED | WNOWAIT));
  CHECK(wait4(child, &status, 0, &usage) == child && WEXITSTATUS(status) == 9);
  say("child %d used %ld us, maxrss %ld", (int)child, (long)usage.ru_utime.tv_usec, usage.ru_maxrss);
  child = OK(fork());
  if (child == 0) pause();
  OK(kill(child, SIGKILL));
  OK(waitid(P_PID, (id_t)child, &info, WEXITED));
  CHECK(info.si_code == CLD_KILLED && info.si_status == SIGKILL);
  FAILS(ECHILD, wait4(child, &status, WNOHANG, &usage));
}
