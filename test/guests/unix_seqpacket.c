// Sequential packets keep boundaries and say when one is cut
#include "guest.h"
#include <sys/socket.h>
int main(void) {
  int s[2];
  OK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, s));
  CHECK(send(s[0], "first packet", 12, 0) == 12 && send(s[0], "second", 6, MSG_EOR) == 6);
  char text[5];
  struct iovec part = {text, 5};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  CHECK(recvmsg(s[1], &message, 0) == 5 && (message.msg_flags & MSG_TRUNC));
  CHECK(recvmsg(s[1], &message, 0) == 5);
  OK(close(s[0]));
  CHECK(recv(s[1], text, 5, 0) == 0);
  say("flags %#x", message.msg_flags);
}
