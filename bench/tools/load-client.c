// Requests to a redis server: at a fixed rate whatever the answers do (open loop), or as fast as the answers come (closed loop).
//
//   bench-load-client ADDRESS PORT CONNECTIONS SECONDS RATE
//
// RATE 0: closed loop. There is one request at a time on each connection: SET of 100 bytes. In an open loop a request's time begins when
// it was due, not when a connection was free to send it, so that a stall counts for everything that it held up.
// Prints "begin" when warm, which the caller may use to take readings, and "end" in the same way; then a line of JSON: requests,
// seconds, and quantiles of the time in microseconds.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 4096
#define WARM_UP_NS 500000000ull

struct connection {
  int fd, busy;
  uint64_t due_ns;
  char in[16];
  size_t have;
};

static struct connection connections[CONNECTIONS_MAX];
static int idle[CONNECTIONS_MAX], idle_count;
static char request[256];
static size_t request_size;
static uint32_t* samples;  // nanoseconds, at most 4 s
static size_t sample_count, sample_room;

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

static void die(const char* what) {
  perror(what);
  exit(1);
}

static void begin(struct connection* c, uint64_t due_ns) {
  c->busy = 1;
  c->due_ns = due_ns;
  if (send(c->fd, request, request_size, MSG_NOSIGNAL) != (ssize_t)request_size) die("send");
}

static int compare(const void* a, const void* b) {
  const uint32_t x = *(const uint32_t*)a, y = *(const uint32_t*)b;
  return x < y ? -1 : x > y;
}

static double quantile(double q) {
  size_t at = (size_t)(q * (double)sample_count);
  return (double)samples[at < sample_count ? at : sample_count - 1] / 1000;
}

int main(int argc, char** argv) {
  if (argc != 6) {
    fprintf(stderr, "usage: bench-load-client ADDRESS PORT CONNECTIONS SECONDS RATE\n");
    return 2;
  }
  const int count = atoi(argv[3]);
  const double seconds = atof(argv[4]), rate = atof(argv[5]);
  if (count < 1 || count > CONNECTIONS_MAX || seconds <= 0) return 2;
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
  if (inet_pton(AF_INET, argv[1], &to.sin_addr) != 1) return 2;
  char value[101];
  memset(value, 'v', 100);
  value[100] = 0;
  request_size = (size_t)snprintf(request, sizeof request, "*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$100\r\n%s\r\n", value);
  const int epoll = epoll_create1(0);
  for (int i = 0; i < count; i++) {
    struct connection* c = &connections[i];
    const int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr*)&to, sizeof to) != 0) die("connect");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, c->fd, &event) != 0) die("epoll_ctl");
    idle[idle_count++] = i;
  }
  const uint64_t started = now_ns(), warm = started + WARM_UP_NS, end = warm + (uint64_t)(seconds * 1e9);
  const double gap_ns = rate > 0 ? 1e9 / rate : 0;
  double due = (double)started;
  uint64_t measured = 0, first = 0;
  int begun = 0;
  sample_room = 1 << 20;
  samples = malloc(sample_room * sizeof *samples);
  for (;;) {
    uint64_t now = now_ns();
    if (!begun && now >= warm) {
      begun = 1;
      printf("begin\n");
      fflush(stdout);
      // The caller's readings take time; what has fallen due meanwhile is not to be made up for in a burst.
      char line[64];
      if (!fgets(line, sizeof line, stdin)) return 2;
      first = now = now_ns();
      if ((double)now > due) due = (double)now;
    }
    if (begun && now >= end) break;
    while (idle_count > 0 && (rate == 0 || due <= (double)now)) {
      begin(&connections[idle[--idle_count]], rate == 0 ? now : (uint64_t)due);
      due += gap_ns;
    }
    struct epoll_event events[128];
    struct timespec timeout = {0, 5000000};
    if (rate > 0 && idle_count > 0) {
      const double left = due - (double)now_ns();
      timeout.tv_nsec = left <= 0 ? 0 : left > 5e6 ? 5000000 : (long)left;
    }
    const int n = epoll_pwait2(epoll, events, 128, &timeout, NULL);
    if (n < 0 && errno != EINTR) die("epoll_pwait2");
    for (int i = 0; i < n; i++) {
      struct connection* c = events[i].data.ptr;
      const ssize_t got = recv(c->fd, c->in + c->have, sizeof c->in - c->have, 0);
      if (got <= 0) die("recv");
      c->have += (size_t)got;
      if (c->have < 5) continue;
      if (!c->busy || c->have != 5 || memcmp(c->in, "+OK\r\n", 5) != 0) {
        fprintf(stderr, "what the server said is no '+OK'\n");
        return 1;
      }
      const uint64_t at = now_ns(), took = at - c->due_ns;
      c->have = 0;
      c->busy = 0;
      idle[idle_count++] = (int)(c - connections);
      if (!begun || at < first) continue;
      measured++;
      if (sample_count == sample_room) {
        samples = realloc(samples, (sample_room *= 2) * sizeof *samples);
        if (!samples) die("realloc");
      }
      samples[sample_count++] = took > 4000000000ull ? 4000000000u : (uint32_t)took;
    }
  }
  const double took = (double)(now_ns() - first) / 1e9;
  printf("end\n");
  fflush(stdout);
  qsort(samples, sample_count, sizeof *samples, compare);
  printf("{\"requests\":%lu,\"seconds\":%.4f,\"quantiles\":[", measured, took);
  static const double points[] = {0.01, 0.05, 0.1,  0.2,  0.3,  0.4,   0.5,   0.6,    0.7,
                                  0.8,  0.9,  0.95, 0.98, 0.99, 0.995, 0.999, 0.9999, 1};
  for (size_t i = 0; i < sizeof points / sizeof *points; i++)
    printf("%s[%g,%.2f]", i ? "," : "", points[i], sample_count ? quantile(points[i]) : 0);
  printf("]}\n");
  return 0;
}
