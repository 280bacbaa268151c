// O_ASYNC on a socket: SIGIO with F_SETOWN and F_SETSIG carries the descriptor
#include "guest.h"
#include <sys/socket.h>
static volatile int signo_seen, fd_seen;
static void handler(int signo, siginfo_t* info, void* context) {
  (void)context, signo_seen = signo, fd_seen = info->si_fd;
}
int main(void) {
  int fds[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
  on_siginfo(SIGRTMIN, handler, 0);
  OK(fcntl(fds[0], F_SETOWN, getpid()));
  OK(fcntl(fds[0], F_SETSIG, SIGRTMIN));
  OK(fcntl(fds[0], F_SETFL, O_ASYNC | O_NONBLOCK));
  CHECK(fcntl(fds[0], F_GETOWN) == getpid() && fcntl(fds[0], F_GETSIG) == SIGRTMIN);
  OK((int)write(fds[1], "x", 1));
  while (!signo_seen) sleep_ms(1);
  CHECK(fd_seen == fds[0]);
  say("signal %d for descriptor %d", signo_seen, fd_seen);
}
