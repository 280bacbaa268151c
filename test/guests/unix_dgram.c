// Unix datagrams: bound names, abstract and automatic addresses, recvfrom tells the sender
#include "guest.h"
#include <sys/socket.h>
#include <sys/un.h>
int main(void) {
  int a = OK(socket(AF_UNIX, SOCK_DGRAM, 0)), b = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
  struct sockaddr_un automatic = {AF_UNIX, ""}, got;
  OK(bind(a, (struct sockaddr*)&automatic, sizeof(sa_family_t)));
  OK(bind(b, (struct sockaddr*)&automatic, sizeof(sa_family_t)));
  socklen_t length = sizeof got;
  OK(getsockname(a, (struct sockaddr*)&got, &length));
  say("automatic name %.5s, %d bytes", got.sun_path + 1, (int)length);
  for (int i = 0; i < 3; i++) CHECK(sendto(b, "datagram", (size_t)(3 + i), 0, (struct sockaddr*)&got, length) == 3 + i);
  char text[64];
  struct sockaddr_un from;
  for (int i = 0; i < 3; i++) {
    socklen_t from_length = sizeof from;
    CHECK(recvfrom(a, text, sizeof text, 0, (struct sockaddr*)&from, &from_length) == 3 + i);
    say("from %.5s, %d bytes", from.sun_path + 1, (int)from_length);
  }
  CHECK(sendto(b, "truncated", 9, 0, (struct sockaddr*)&got, length) == 9);
  CHECK(recv(a, text, 4, MSG_TRUNC) == 9);
}
