// recvmmsg on UDP with control messages: SO_TIMESTAMP, IP_PKTINFO, a timeout
#include "guest.h"
#include "net.h"
int main(void) {
  int a = OK(socket(AF_INET, SOCK_DGRAM, 0)), b = OK(socket(AF_INET, SOCK_DGRAM, 0)), on = 1;
  struct sockaddr_in address = loopback(0);
  OK(bind(a, (struct sockaddr*)&address, sizeof address));
  OK(setsockopt(a, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on));
  OK(setsockopt(a, IPPROTO_IP, IP_PKTINFO, &on, sizeof on));
  address = loopback(local_port(a));
  for (int i = 0; i < 3; i++)
    CHECK(sendto(b, "abc", (size_t)i + 1, 0, (struct sockaddr*)&address, sizeof address) == i + 1);
  char data[4][16], control[4][256];
  struct sockaddr_in names[4];
  struct iovec parts[4];
  struct mmsghdr messages[4] = {0};
  for (int i = 0; i < 4; i++) {
    parts[i] = (struct iovec){data[i], 16};
    messages[i].msg_hdr = (struct msghdr){.msg_name = &names[i],
                                          .msg_namelen = sizeof names[i],
                                          .msg_iov = &parts[i],
                                          .msg_iovlen = 1,
                                          .msg_control = control[i],
                                          .msg_controllen = 256};
  }
  int n = recvmmsg(a, messages, 3, 0, &(struct timespec){1, 0});
  CHECK(n == 3);
  for (int i = 0; i < n; i++) {
    CHECK(messages[i].msg_len == (unsigned)i + 1 && ntohs(names[i].sin_port) == local_port(b));
    for (struct cmsghdr* c = CMSG_FIRSTHDR(&messages[i].msg_hdr); c; c = CMSG_NXTHDR(&messages[i].msg_hdr, c)) {
      struct timeval t;
      if (c->cmsg_level == SOL_SOCKET)
        memcpy(&t, CMSG_DATA(c), sizeof t), say("stamp %ld.%06ld", (long)t.tv_sec, (long)t.tv_usec);
      else say("level %d type %d length %d", c->cmsg_level, c->cmsg_type, (int)c->cmsg_len);
    }
  }
}
