// A single-threaded epoll server with five client processes; the order of events is printed
#include "guest.h"
#include "net.h"
#include <sys/epoll.h>
int main(void) {
  int port, server = tcp_listen(&port);
  for (int i = 0; i < 5; i++)
    if (OK(fork()) == 0) {
      int s = tcp_connect(port);
      for (int k = 0; k < 5; k++) {
        char c = (char)('a' + i), back;
        CHECK(write(s, &c, 1) == 1);
        read_all(s, &back, 1);
        CHECK(back == c);
      }
      _exit(0);
    }
  int e = OK(epoll_create1(0)), closed = 0, n = 0;
  struct epoll_event event = {EPOLLIN, {.fd = server}}, got[8];
  OK(epoll_ctl(e, EPOLL_CTL_ADD, server, &event));
  char order[64] = "";
  while (closed < 5) {
    int count = OK(epoll_wait(e, got, 8, 1000));
    for (int i = 0; i < count; i++) {
      int fd = got[i].data.fd;
      if (fd == server) {
        event = (struct epoll_event){EPOLLIN | EPOLLRDHUP, {.fd = OK(accept4(server, NULL, NULL, SOCK_NONBLOCK))}};
        OK(epoll_ctl(e, EPOLL_CTL_ADD, event.data.fd, &event));
        continue;
      }
      char c;
      ssize_t size = read(fd, &c, 1);
      if (size == 1) order[n++] = c, CHECK(write(fd, &c, 1) == 1);
      else OK(close(fd)), closed++;
    }
  }
  for (int i = 0; i < 5; i++) OK(wait(NULL));
  CHECK(n == 25);
  say("%s", order);
}
