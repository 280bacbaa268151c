// An epoll set inside another, and one polled with poll
#include "guest.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
int main(void) {
  int inner = OK(epoll_create1(0)), outer = OK(epoll_create(1)), fd = OK(eventfd(0, 0));
  struct epoll_event event = {EPOLLIN, {.u32 = 1}}, got;
  OK(epoll_ctl(inner, EPOLL_CTL_ADD, fd, &event));
  event.data.u32 = 2;
  OK(epoll_ctl(outer, EPOLL_CTL_ADD, inner, &event));
  FAILS(ELOOP, epoll_ctl(inner, EPOLL_CTL_ADD, outer, &event));
  CHECK(epoll_wait(outer, &got, 1, 0) == 0);
  OK(eventfd_write(fd, 5));
  CHECK(epoll_wait(outer, &got, 1, 100) == 1 && got.data.u32 == 2);
  CHECK(epoll_wait(inner, &got, 1, 100) == 1 && got.data.u32 == 1);
  struct pollfd p = {outer, POLLIN, 0};
  CHECK(poll(&p, 1, 0) == 1);
  say("nested");
}
