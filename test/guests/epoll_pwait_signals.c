// epoll_pwait and epoll_pwait2 unblock a signal only while they wait
#include "guest.h"
#include <sys/epoll.h>
static volatile sig_atomic_t got;
static void handler(int signo) { (void)signo, got++; }
int main(void) {
  on_signal(SIGUSR1, handler, 0);
  sigset_t block, none;
  sigemptyset(&none);
  sigemptyset(&block);
  sigaddset(&block, SIGUSR1);
  OK(sigprocmask(SIG_BLOCK, &block, NULL));
  int e = OK(epoll_create1(0));
  struct epoll_event event;
  OK(raise(SIGUSR1));
  CHECK(epoll_wait(e, &event, 1, 5) == 0 && got == 0);
  FAILS(EINTR, epoll_pwait(e, &event, 1, 1000, &none));
  CHECK(got == 1);
  CHECK(epoll_pwait(e, &event, 1, 5, &block) == 0);
  OK(raise(SIGUSR1));
  long result = syscall(441 /* epoll_pwait2 */, e, &event, 1, &(struct timespec){1, 0}, &none, 8);
  say("epoll_pwait2: %ld %s, handled %d", result, strerror(errno), (int)got);
}
