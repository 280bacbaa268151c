// sendmmsg and recvmmsg: many messages in one call
#include "guest.h"
#include <sys/socket.h>
int main(void) {
  int s[2];
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
  char texts[5][16], into[8][16] = {{0}};
  struct iovec out[5], in[8];
  struct mmsghdr send_to[5] = {0}, receive[8] = {0};
  for (int i = 0; i < 5; i++) {
    int n = snprintf(texts[i], 16, "message %d", i);
    out[i] = (struct iovec){texts[i], (size_t)n};
    send_to[i].msg_hdr = (struct msghdr){.msg_iov = &out[i], .msg_iovlen = 1};
  }
  CHECK(sendmmsg(s[0], send_to, 5, 0) == 5 && send_to[3].msg_len == 9);
  for (int i = 0; i < 8; i++) {
    in[i] = (struct iovec){into[i], 16};
    receive[i].msg_hdr = (struct msghdr){.msg_iov = &in[i], .msg_iovlen = 1};
  }
  CHECK(recvmmsg(s[1], receive, 3, MSG_WAITFORONE, NULL) == 3);
  int n = recvmmsg(s[1], receive + 3, 5, MSG_DONTWAIT, NULL);
  CHECK(n == 2);
  for (int i = 0; i < 5; i++) CHECK(strcmp(into[i], texts[i]) == 0 && receive[i].msg_len == 9);
  say("five in two calls");
}
