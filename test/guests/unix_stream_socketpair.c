// socketpair streams: both directions, shutdown halves, EOF, buffers
#include "guest.h"
#include <sys/socket.h>
int main(void) {
  int s[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s));
  char text[64] = "";
  CHECK(send(s[0], "ping", 4, 0) == 4);
  CHECK(recv(s[1], text, 64, MSG_PEEK) == 4);
  CHECK(recv(s[1], text, 64, 0) == 4 && strcmp(text, "ping") == 0);
  FAILS(EAGAIN, recv(s[1], text, 64, MSG_DONTWAIT));
  OK(shutdown(s[0], SHUT_WR));
  CHECK(recv(s[1], text, 64, 0) == 0);
  CHECK(write(s[1], "still open", 10) == 10);
  CHECK(read(s[0], text, 64) == 10);
  int type;
  socklen_t length = sizeof type;
  OK(getsockopt(s[0], SOL_SOCKET, SO_TYPE, &type, &length));
  CHECK(type == SOCK_STREAM);
  say("%.10s", text);
}
