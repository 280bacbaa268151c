// SCM_RIGHTS: descriptors travel between processes, several at once, and work there
#include "guest.h"
#include <sys/socket.h>
int main(void) {
  int s[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  pid_t child = OK(fork());
  if (child == 0) {
    scratch();
    put_file("f", "contents");
    int fds[3] = {OK(open("f", O_RDONLY)), 0, 0}, p[2];
    OK(pipe(p));
    fds[1] = p[0], fds[2] = p[1];
    char control[CMSG_SPACE(sizeof fds)] = {0};
    struct iovec part = {"x", 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    struct cmsghdr* header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET, header->cmsg_type = SCM_RIGHTS, header->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(header), fds, sizeof fds);
    CHECK(sendmsg(s[1], &message, 0) == 1);
    exit(0);
  }
  char c, control[256], text[16] = "";
  struct iovec part = {&c, 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  CHECK(recvmsg(s[0], &message, MSG_CMSG_CLOEXEC) == 1);
  struct cmsghdr* header = CMSG_FIRSTHDR(&message);
  CHECK(header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(12));
  int fds[3];
  memcpy(fds, CMSG_DATA(header), sizeof fds);
  reap_ok(child);
  CHECK(read(fds[0], text, 16) == 8);
  CHECK(write(fds[2], "through", 7) == 7 && read(fds[1], text + 8, 7) == 7);
  say("received %d %d %d: %.8s", fds[0], fds[1], fds[2], text);
}
