// SO_LINGER 0 resets a connection: ECONNRESET, POLLHUP and POLLERR on the other side
#include "guest.h"
#include "net.h"
#include <poll.h>
int main(void) {
  int port, server = tcp_listen(&port), c = tcp_connect(port), s = OK(accept(server, NULL, NULL));
  struct linger hard = {1, 0};
  OK(setsockopt(c, SOL_SOCKET, SO_LINGER, &hard, sizeof hard));
  OK(close(c));
  struct pollfd p = {s, POLLIN, 0};
  CHECK(poll(&p, 1, 1000) == 1);
  say("events %#x", p.revents);
  char x;
  FAILS(ECONNRESET, read(s, &x, 1));
  CHECK(read(s, &x, 1) == 0);
  FAILS(EPIPE, send(s, "x", 1, MSG_NOSIGNAL));
}
