// poll and ppoll: timeouts, POLLNVAL, negative descriptors, a signal through the mask
#include "guest.h"
#include <poll.h>
static volatile sig_atomic_t got;
static void handler(int signo) { (void)signo, got++; }
int main(void) {
  int fds[2];
  OK(pipe(fds));
  struct pollfd p[4] = {{fds[0], POLLIN, 0}, {fds[1], POLLOUT, 0}, {-1, POLLIN, 7}, {500, POLLIN, 0}};
  CHECK(poll(p, 4, 1000) == 2 && p[0].revents == 0 && p[1].revents == POLLOUT && p[2].revents == 0 &&
        p[3].revents == POLLNVAL);
  CHECK(poll(p, 1, 10) == 0);
  struct timespec t = {0, 5000000};
  CHECK(ppoll(p, 1, &t, NULL) == 0);
  CHECK(write(fds[1], "x", 1) == 1);
  CHECK(ppoll(p, 1, NULL, NULL) == 1);
  on_signal(SIGUSR1, handler, SA_RESTART);
  sigset_t block, none;
  sigemptyset(&none);
  sigemptyset(&block);
  sigaddset(&block, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &block, NULL));
  OK(raise(SIGUSR1));
  FAILS(EINTR, ppoll(NULL, 0, NULL, &none));
  CHECK(got == 1);
  struct timespec raw = {0, 8000000};
  CHECK(syscall(SYS_ppoll, NULL, 0, &raw, NULL, 8) == 0);
  say("raw ppoll left %ld ns", raw.tv_nsec);
}
