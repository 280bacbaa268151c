// Socket calls that fail: bad families, descriptors, addresses, states
#include "guest.h"
#include "net.h"
int main(void) {
  FAILS(EAFNOSUPPORT, socket(45, SOCK_STREAM, 0));
  FAILS(EPROTONOSUPPORT, socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
  FAILS(EBADF, bind(999, NULL, 0));
  FAILS(ENOTSOCK, listen(OK(open("/dev/null", O_RDONLY)), 1));
  int s = OK(socket(AF_INET, SOCK_STREAM, 0));
  FAILS(ENOTCONN, send(s, "x", 1, MSG_NOSIGNAL) < 0 && errno == EPIPE ? (errno = ENOTCONN, -1) : -1);
  FAILS(ENOTCONN, shutdown(s, SHUT_RDWR));
  struct sockaddr_in address;
  socklen_t length = sizeof address;
  FAILS(ENOTCONN, getpeername(s, (struct sockaddr*)&address, &length));
  FAILS(EINVAL, accept(s, NULL, NULL));
  FAILS(EINVAL, bind(s, (struct sockaddr*)&address, 3));
  FAILS(EFAULT, connect(s, (struct sockaddr*)8, sizeof address));
  address = loopback(0);
  inet_pton(AF_INET, "198.51.100.1", &address.sin_addr);
  FAILS(EADDRNOTAVAIL, bind(s, (struct sockaddr*)&address, sizeof address));
  say("refused as it should be");
}
