// SA_RESTART: a read goes on behind the handler, without it the read fails with EINTR
#include "guest.h"
static int pipe_fds[2];
static volatile sig_atomic_t alarms, feed;
static void handler(int signo) {
  (void)signo;
  alarms++;
  if (feed) (void)!write(pipe_fds[1], "x", 1);
}
int main(void) {
  OK(pipe(pipe_fds));
  char c;
  on_signal(SIGALRM, handler, 0);
  ualarm(10000, 20000);
  FAILS(EINTR, read(pipe_fds[0], &c, 1));
  ualarm(0, 0);
  CHECK(alarms >= 1);
  feed = 1;
  on_signal(SIGALRM, handler, SA_RESTART);
  ualarm(10000, 0);
  CHECK(read(pipe_fds[0], &c, 1) == 1 && c == 'x');
  say("read EINTR, then restarted");
}
