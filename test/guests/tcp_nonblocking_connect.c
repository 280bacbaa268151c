// Non-blocking connect: EINPROGRESS, poll for writability, SO_ERROR; a refused connection
#include "guest.h"
#include "net.h"
#include <poll.h>
int main(void) {
  int port, server = tcp_listen(&port);
  int s = OK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
  struct sockaddr_in address = loopback(port);
  int result = connect(s, (struct sockaddr*)&address, sizeof address);
  CHECK(result == 0 || errno == EINPROGRESS);
  struct pollfd p = {s, POLLOUT, 0};
  CHECK(poll(&p, 1, 1000) == 1);
  int error;
  socklen_t length = sizeof error;
  OK(getsockopt(s, SOL_SOCKET, SO_ERROR, &error, &length));
  CHECK(error == 0);
  char c;
  FAILS(EAGAIN, read(s, &c, 1));
  int peer = OK(accept(server, NULL, NULL));
  CHECK(write(peer, "y", 1) == 1);
  p.events = POLLIN;
  CHECK(poll(&p, 1, 1000) == 1 && read(s, &c, 1) == 1 && c == 'y');
  OK(close(server));
  FAILS(ECONNREFUSED, connect(OK(socket(AF_INET, SOCK_STREAM, 0)), (struct sockaddr*)&address, sizeof address));
  say("port %d, connect gave %d", port, result);
}
