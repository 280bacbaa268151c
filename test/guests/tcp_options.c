// TCP and socket options set and read back; TCP_INFO
#include "guest.h"
#include "net.h"
#include <netinet/tcp.h>
static void option(int s, int level, int name, int value, const char* text) {
  int got = -1;
  socklen_t length = sizeof got;
  int result = setsockopt(s, level, name, &value, sizeof value);
  OK(getsockopt(s, level, name, &got, &length));
  say("%s: set %d gives %d, reads %d", text, value, result, got);
}
int main(void) {
  int port, server = tcp_listen(&port), s = tcp_connect(port);
  option(s, SOL_SOCKET, SO_KEEPALIVE, 1, "SO_KEEPALIVE");
  option(s, SOL_SOCKET, SO_SNDBUF, 10000, "SO_SNDBUF");
  option(s, SOL_SOCKET, SO_RCVBUF, 20000, "SO_RCVBUF");
  option(s, SOL_SOCKET, SO_REUSEADDR, 1, "SO_REUSEADDR");
  option(s, SOL_SOCKET, SO_PRIORITY, 3, "SO_PRIORITY");
  option(s, IPPROTO_TCP, TCP_NODELAY, 1, "TCP_NODELAY");
  option(s, IPPROTO_TCP, TCP_KEEPIDLE, 100, "TCP_KEEPIDLE");
  option(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 5000, "TCP_USER_TIMEOUT");
  option(s, IPPROTO_TCP, TCP_CORK, 1, "TCP_CORK");
  option(s, IPPROTO_IP, IP_TOS, 16, "IP_TOS");
  option(s, IPPROTO_IP, IP_TTL, 33, "IP_TTL");
  struct timeval limit = {0, 5000};
  OK(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
  char c;
  FAILS(EAGAIN, read(s, &c, 1));
  struct tcp_info info;
  socklen_t length = sizeof info;
  OK(getsockopt(s, IPPROTO_TCP, TCP_INFO, &info, &length));
  say("state %d mss %u rtt %u, %d bytes", info.tcpi_state, info.tcpi_snd_mss, info.tcpi_rtt, (int)length);
  char congestion[16];
  length = sizeof congestion;
  OK(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, congestion, &length));
  say("congestion control %s", congestion);
  FAILS(ENOPROTOOPT, setsockopt(s, IPPROTO_TCP, 9999, &port, sizeof port));
  FAILS(ENOTSOCK, setsockopt(0, SOL_SOCKET, SO_KEEPALIVE, &port, sizeof port) < 0 ? -1 : 0);
  OK(close(server));
}
