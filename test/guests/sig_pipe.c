// SIGPIPE: ignored gives EPIPE, handled gives both, MSG_NOSIGNAL neither
#include "guest.h"
#include <sys/socket.h>
static volatile sig_atomic_t count;
static void handler(int signo) { (void)signo, count++; }
int main(void) {
  int fds[2], sockets[2];
  OK(pipe(fds));
  OK(close(fds[0]));
  signal(SIGPIPE, SIG_IGN);
  FAILS(EPIPE, write(fds[1], "x", 1));
  on_signal(SIGPIPE, handler, 0);
  FAILS(EPIPE, write(fds[1], "x", 1));
  CHECK(count == 1);
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
  OK(close(sockets[0]));
  FAILS(EPIPE, send(sockets[1], "x", 1, MSG_NOSIGNAL));
  CHECK(count == 1);
  FAILS(EPIPE, write(sockets[1], "x", 1));
  CHECK(count == 2);
  say("EPIPE four ways");
}
