// The guest of the failover benchmark: answers requests with a chain over everything before them (chain.h).
//
//   bench-chain-server PORT [THREADS]
//
// Ordinary non-blocking epoll code with all that a takeover must get right: input in pieces, output that does not fit into the socket's
// buffer and waits for EPOLLOUT, edge-triggered events, half-closed connections, several threads that share a counter.
//
// Must not: forgive. Whatever a correct kernel never does here ends the program, with a message.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "chain.h"

struct buffer {
  unsigned char* data;
  size_t begin, end, size;
};

struct connection {
  int fd;
  int ended;  // the client has shut down its side
  struct buffer in, out;
  uint64_t state, count;
};

static int listener;
static uint64_t global_count;
static pthread_mutex_t global_mutex = PTHREAD_MUTEX_INITIALIZER;

static void die(const char* what) {
  perror(what);
  exit(1);
}

static unsigned char* room(struct buffer* b, size_t need) {
  if (b->begin == b->end) b->begin = b->end = 0;
  if (b->size - b->end < need) {
    memmove(b->data, b->data + b->begin, b->end - b->begin);
    b->end -= b->begin;
    b->begin = 0;
    if (b->size - b->end < need) {
      b->size = (b->end + need) * 2;
      b->data = realloc(b->data, b->size);
      if (!b->data) die("realloc");
    }
  }
  return b->data + b->end;
}

// Clocks and random bytes: nothing that two executions would have in common.
static uint64_t draw_number(void) {
  uint64_t number;
  struct timespec real, cpu;
  if (getrandom(&number, sizeof number, 0) != sizeof number) die("getrandom");
  clock_gettime(CLOCK_REALTIME, &real);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &cpu);
  return number ^ (uint64_t)real.tv_nsec << 20 ^ (uint64_t)cpu.tv_nsec;
}

static void compute(uint32_t us) {
  struct timespec begun, now;
  clock_gettime(CLOCK_MONOTONIC, &begun);
  do clock_gettime(CLOCK_MONOTONIC, &now);
  while ((now.tv_sec - begun.tv_sec) * 1000000 + (now.tv_nsec - begun.tv_nsec) / 1000 < (long)us);
}

static void answer(struct connection* c, const struct chain_request* request, const unsigned char* bytes) {
  if (request->pause_us) compute(request->pause_us);
  struct chain_reply reply;
  memset(&reply, 0, sizeof reply);
  reply.magic = CHAIN_REPLY_MAGIC;
  reply.length = request->wanted;
  reply.draw = draw_number();
  c->state = chain_hash(c->state, bytes, sizeof *request + request->length);
  c->state = chain_mix(c->state, reply.draw);
  reply.state = c->state;
  reply.count = ++c->count;
  pthread_mutex_lock(&global_mutex);
  reply.global = ++global_count;
  pthread_mutex_unlock(&global_mutex);
  unsigned char* to = room(&c->out, sizeof reply + reply.length + 8);
  memcpy(to, &reply, sizeof reply);
  chain_fill(reply.state, to + sizeof reply, reply.length);
  c->out.end += sizeof reply + reply.length;
}

// 0: the connection is over.
static int take_input(struct connection* c) {
  while (!c->ended) {
    ssize_t n = recv(c->fd, room(&c->in, 16 << 10), 16 << 10, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return 1;
    if (n < 0) {
      fprintf(stderr, "connection %d: recv: %m\n", c->fd);
      return 0;
    }
    if (n == 0) c->ended = 1;
    c->in.end += (size_t)n;
    for (;;) {
      size_t have = c->in.end - c->in.begin;
      const unsigned char* at = c->in.data + c->in.begin;
      struct chain_request request;
      if (have < sizeof request) break;
      memcpy(&request, at, sizeof request);
      if (request.magic != CHAIN_REQUEST_MAGIC || request.length > CHAIN_BYTES_MAX ||
          request.wanted > CHAIN_BYTES_MAX) {
        fprintf(stderr, "connection %d: what came in is no request\n", c->fd);
        exit(3);
      }
      if (have < sizeof request + request.length) break;
      answer(c, &request, at);
      c->in.begin += sizeof request + request.length;
    }
  }
  return 1;
}

static int put_output(struct connection* c) {
  while (c->out.begin < c->out.end) {
    ssize_t n = send(c->fd, c->out.data + c->out.begin, c->out.end - c->out.begin, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return 1;
    if (n < 0) {
      fprintf(stderr, "connection %d: send: %m\n", c->fd);
      return 0;
    }
    c->out.begin += (size_t)n;
  }
  return !c->ended;
}

static void end_connection(struct connection* c) {
  close(c->fd);
  free(c->in.data);
  free(c->out.data);
  free(c);
}

static void accept_all(int epoll) {
  for (;;) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN) return;
      die("accept4");
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct connection* c = calloc(1, sizeof *c);
    if (!c) die("calloc");
    c->fd = fd;
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) die("epoll_ctl");
  }
}

static void* serve(void* result) {
  int epoll = epoll_create1(EPOLL_CLOEXEC);
  struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = NULL};
  if (epoll < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event) != 0) die("epoll");
  for (;;) {
    struct epoll_event events[64];
    int n = epoll_wait(epoll, events, 64, -1);
    if (n < 0 && errno != EINTR) die("epoll_wait");
    for (int i = 0; i < n; i++) {
      struct connection* c = events[i].data.ptr;
      if (!c) {
        accept_all(epoll);
        continue;
      }
      if (!take_input(c) || !put_output(c)) end_connection(c);
    }
  }
  return result;
}

int main(int argc, char** argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: bench-chain-server PORT [THREADS]\n");
    return 2;
  }
  int threads = argc > 2 ? atoi(argv[2]) : 1, on = 1;
  signal(SIGPIPE, SIG_IGN);
  listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (listener < 0 || bind(listener, (struct sockaddr*)&address, sizeof address) != 0 || listen(listener, 1024) != 0)
    die("listen");
  for (int i = 1; i < threads; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, NULL) != 0) die("pthread_create");
  }
  serve(NULL);
}
