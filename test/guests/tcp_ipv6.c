// TCP over ::1, where there is IPv6
#include "guest.h"
#include "net.h"
int main(void) {
  int server = socket(AF_INET6, SOCK_STREAM, 0);
  if (server < 0) UNAVAILABLE("IPv6");
  struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT}, peer;
  if (bind(server, (struct sockaddr*)&address, sizeof address) < 0) UNAVAILABLE("::1");
  socklen_t length = sizeof address;
  OK(listen(server, 1));
  OK(getsockname(server, (struct sockaddr*)&address, &length));
  int c = OK(socket(AF_INET6, SOCK_STREAM, 0));
  OK(connect(c, (struct sockaddr*)&address, sizeof address));
  length = sizeof peer;
  int s = OK(accept(server, (struct sockaddr*)&peer, &length));
  char text[64];
  CHECK(inet_ntop(AF_INET6, &peer.sin6_addr, text, sizeof text) != NULL);
  CHECK(write(c, "6", 1) == 1 && read(s, text + 60, 1) == 1);
  say("from %s port %d", text, ntohs(peer.sin6_port));
}
