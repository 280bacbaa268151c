// epoll: level- and edge-triggered, oneshot, modify, delete, errors
#include "guest.h"
#include <sys/epoll.h>
#include <sys/socket.h>
int main(void) {
  int e = OK(epoll_create1(EPOLL_CLOEXEC)), s[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  struct epoll_event event = {EPOLLIN, {.u64 = 0x123456789abc}}, got[4];
  OK(epoll_ctl(e, EPOLL_CTL_ADD, s[0], &event));
  FAILS(EEXIST, epoll_ctl(e, EPOLL_CTL_ADD, s[0], &event));
  CHECK(epoll_wait(e, got, 4, 0) == 0);
  CHECK(write(s[1], "xy", 2) == 2);
  for (int i = 0; i < 3; i++)
    CHECK(epoll_wait(e, got, 4, 100) == 1 && got[0].data.u64 == 0x123456789abc && got[0].events == EPOLLIN);
  event.events = EPOLLIN | EPOLLOUT | EPOLLET;
  OK(epoll_ctl(e, EPOLL_CTL_MOD, s[0], &event));
  CHECK(epoll_wait(e, got, 4, 100) == 1 && got[0].events == (EPOLLIN | EPOLLOUT));
  CHECK(epoll_wait(e, got, 4, 0) == 0);
  CHECK(write(s[1], "z", 1) == 1);
  CHECK(epoll_wait(e, got, 4, 100) == 1);
  event.events = EPOLLIN | EPOLLONESHOT;
  OK(epoll_ctl(e, EPOLL_CTL_MOD, s[0], &event));
  CHECK(epoll_wait(e, got, 4, 100) == 1);
  CHECK(epoll_wait(e, got, 4, 0) == 0);
  OK(epoll_ctl(e, EPOLL_CTL_DEL, s[0], NULL));
  FAILS(ENOENT, epoll_ctl(e, EPOLL_CTL_DEL, s[0], NULL));
  FAILS(EINVAL, epoll_wait(e, got, 0, 0));
  FAILS(EPERM, epoll_ctl(e, EPOLL_CTL_ADD, OK(open("/etc/passwd", O_RDONLY)), &event));
  say("%zd still unread", recv(s[0], got, 10, MSG_PEEK));
}
