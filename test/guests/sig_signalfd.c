// signalfd: reads of signalfd_siginfo, poll, a changed mask, non-blocking
#include "guest.h"
#include <poll.h>
#include <sys/signalfd.h>
int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGUSR2);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  int fd = OK(signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC));
  struct signalfd_siginfo info[4];
  FAILS(EAGAIN, read(fd, info, sizeof info));
  OK(raise(SIGUSR1));
  OK(kill(getpid(), SIGUSR2));
  struct pollfd p = {fd, POLLIN, 0};
  CHECK(poll(&p, 1, 1000) == 1 && p.revents == POLLIN);
  ssize_t n = OK(read(fd, info, sizeof info));
  CHECK(n == 2 * sizeof info[0]);
  for (int i = 0; i < 2; i++) say("signal %u code %d from %u", info[i].ssi_signo, info[i].ssi_code, info[i].ssi_pid);
  sigdelset(&set, SIGUSR2);
  CHECK(signalfd(fd, &set, 0) == fd);
  OK(raise(SIGUSR2));
  FAILS(EAGAIN, read(fd, info, sizeof info));
  OK(close(fd));
}
