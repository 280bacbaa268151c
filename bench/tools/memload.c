// A closed-loop load for memcached's text protocol: one thread, many connections, one request outstanding on each, nine
// gets to one set of 100-byte values.
//
//   bench-memload PORT CONNECTIONS OPERATIONS
//
// Prints operations and nanoseconds as JSON. Any answer that is not the expected one ends it with an error: a wrong answer
// must not count as a fast one.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kValue = 100, kKeys = 1000, kMaxConnections = 1000, kSetEvery = 10 };

struct connection {
  int fd;
  int is_set;
  unsigned got;
  char in[512];
};

static struct connection connections[kMaxConnections];
static char value[kValue + 1];
static unsigned long counter;

static void die(const char* what) {
  fprintf(stderr, "bench-memload: %s: %s\n", what, errno ? strerror(errno) : "unexpected answer");
  exit(1);
}

static void send_next(struct connection* c, int force_set, unsigned key) {
  char out[256];
  c->got = 0;
  c->is_set = force_set || counter % kSetEvery == 0;
  counter++;
  int n = c->is_set ? snprintf(out, sizeof out, "set key:%06u 0 0 %d\r\n%s\r\n", key, kValue, value)
                    : snprintf(out, sizeof out, "get key:%06u\r\n", key);
  if (send(c->fd, out, (size_t)n, MSG_NOSIGNAL) != n) die("send");
}

// 1 when the whole answer has arrived.
static int receive(struct connection* c) {
  ssize_t n = recv(c->fd, c->in + c->got, sizeof c->in - 1 - c->got, 0);
  if (n <= 0) die("recv");
  c->got += (unsigned)n;
  c->in[c->got] = 0;
  errno = 0;
  if (c->is_set) {
    if (c->got < 8) return 0;
    if (strcmp(c->in, "STORED\r\n") != 0) die("set");
    return 1;
  }
  if (c->got < 5 || memcmp(c->in + c->got - 5, "END\r\n", 5) != 0) return 0;
  if (memcmp(c->in, "VALUE key:", 10) != 0 || !strstr(c->in, value)) die("get");
  return 1;
}

static long long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}

int main(int argc, char** argv) {
  int port = argc == 4 ? atoi(argv[1]) : 0, count = argc == 4 ? atoi(argv[2]) : 0;
  long operations = argc == 4 ? atol(argv[3]) : 0;
  if (port < 1 || count < 1 || count > kMaxConnections || operations < count) {
    fprintf(stderr, "usage: bench-memload PORT CONNECTIONS OPERATIONS\n");
    return 2;
  }
  memset(value, 'v', kValue);
  int poll_fd = epoll_create1(0);
  for (int i = 0; i < count; i++) {
    struct connection* c = &connections[i];
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr*)&to, sizeof to) != 0) die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &e) != 0) die("epoll_ctl");
  }
  for (unsigned k = 0; k < kKeys; k++) {  // every key exists before a get asks for it
    send_next(&connections[0], 1, k);
    while (!receive(&connections[0])) {}
  }

  unsigned key = 1;
  long started = 0, finished = 0;
  long long start = now_ns();
  for (int i = 0; i < count; i++, started++) send_next(&connections[i], 0, key = (key * 7 + 3) % kKeys);
  while (finished < started) {
    struct epoll_event ready[64];
    int n = epoll_wait(poll_fd, ready, 64, 10000);
    if (n == 0) errno = ETIMEDOUT;
    if (n <= 0) die("epoll_wait");
    for (int i = 0; i < n; i++) {
      struct connection* c = ready[i].data.ptr;
      if (!receive(c)) continue;
      finished++;
      if (started < operations) {
        send_next(c, 0, key = (key * 7 + 3) % kKeys);
        started++;
      }
    }
  }
  printf("{\"operations\":%ld,\"ns\":%lld}\n", finished, now_ns() - start);
  return 0;
}
