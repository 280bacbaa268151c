// Buffers that are not there, in a program of two threads: EFAULT, and the program goes on
#include "guest.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

static int gate[2];

static void* wait_at_gate(void* unused) {
  (void)unused;
  char byte;
  CHECK(read(gate[0], &byte, 1) == 1);
  return NULL;
}

int main(void) {
  OK(pipe(gate));
  pthread_t other;
  CHECK(pthread_create(&other, NULL, wait_at_gate, NULL) == 0);
  void* nowhere = OK(mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  int pair[2], zero = OK(open("/dev/zero", O_RDONLY));
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  int epoll = OK(epoll_create1(0));
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.fd = pair[0]};
  OK(epoll_ctl(epoll, EPOLL_CTL_ADD, pair[0], &event));
  struct iovec pieces[2] = {{"here", 4}, {nowhere, 4}};
  struct msghdr message = {.msg_iov = pieces + 1, .msg_iovlen = 1};
  struct stat st;
  for (int i = 0; i < 3; i++) {
    say("read %zd %d", read(zero, nowhere, 100), errno);
    say("write %zd %d", write(pair[1], nowhere, 100), errno);
    say("fstat %d %d", fstat(zero, nowhere), errno);
    say("epoll_wait %d %d", epoll_wait(epoll, nowhere, 1, 0), errno);
    say("sendmsg %zd %d", sendmsg(pair[1], &message, 0), errno);
    say("writev of nothing %zd %d", writev(pair[1], nowhere, 2), errno);
    say("recv %zd %d", recv(pair[0], nowhere, 16, MSG_DONTWAIT), errno);
    pid_t child = OK(fork());
    if (child == 0) _exit(3);
    say("wait4 %d %d", wait4(child, nowhere, 0, NULL), errno);
    OK(fstat(zero, &st));
    CHECK(writev(pair[1], pieces, 1) == 4);
    char got[8] = "";
    CHECK(recv(pair[0], got, sizeof got, 0) == 4);
    say("and then %s", got);
  }
  CHECK(write(gate[1], "x", 1) == 1);
  CHECK(pthread_join(other, NULL) == 0);
}
