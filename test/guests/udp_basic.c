// UDP over loopback: sendto, recvfrom, connected sockets, ECONNREFUSED, truncation
#include "guest.h"
#include "net.h"
#include <poll.h>
int main(void) {
  int a = OK(socket(AF_INET, SOCK_DGRAM, 0)), b = OK(socket(AF_INET, SOCK_DGRAM, 0));
  struct sockaddr_in address = loopback(0), from;
  OK(bind(a, (struct sockaddr*)&address, sizeof address));
  address = loopback(local_port(a));
  CHECK(sendto(b, "one", 3, 0, (struct sockaddr*)&address, sizeof address) == 3);
  OK(connect(b, (struct sockaddr*)&address, sizeof address));
  CHECK(send(b, "second", 6, 0) == 6);
  char text[64];
  socklen_t length = sizeof from;
  CHECK(recvfrom(a, text, 64, 0, (struct sockaddr*)&from, &length) == 3);
  CHECK(recvfrom(a, text, 3, MSG_TRUNC, (struct sockaddr*)&from, &length) == 6);
  CHECK(sendto(a, "", 0, 0, (struct sockaddr*)&from, length) == 0);
  CHECK(recv(b, text, 64, 0) == 0);
  say("port %d to %d", local_port(b), local_port(a));
  OK(close(a));
  CHECK(send(b, "gone", 4, 0) == 4);
  struct pollfd p = {b, POLLIN, 0};
  CHECK(poll(&p, 1, 1000) == 1);
  FAILS(ECONNREFUSED, recv(b, text, 64, 0));
}
