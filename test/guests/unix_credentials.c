// SO_PASSCRED and SCM_CREDENTIALS: each message carries pid, uid, gid
#include "guest.h"
#include <sys/socket.h>
int main(void) {
  int s[2], on = 1;
  OK(socketpair(AF_UNIX, SOCK_DGRAM, 0, s));
  OK(setsockopt(s[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
  for (int i = 0; i < 3; i++)
    if (OK(fork()) == 0) _exit(send(s[1], "x", 1, 0) != 1);
  pid_t sum = 0;
  for (int i = 0; i < 3; i++) {
    char c, control[256];
    struct iovec part = {&c, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    CHECK(recvmsg(s[0], &message, 0) == 1);
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    CHECK(header && header->cmsg_type == SCM_CREDENTIALS);
    struct ucred who;
    memcpy(&who, CMSG_DATA(header), sizeof who);
    say("from pid %d uid %d", who.pid, (int)who.uid);
    sum += who.pid;
  }
  for (int i = 0; i < 3; i++) sum -= OK(wait(NULL));
  CHECK(sum == 0);
}
