// Half-closed TCP: the client shuts its side, the server answers with a sum and closes
#include "guest.h"
#include "net.h"
int main(void) {
  int port, server = tcp_listen(&port);
  pid_t child = OK(fork());
  if (child == 0) {
    int s = tcp_connect(port);
    for (int i = 0; i < 1000; i++) CHECK(write(s, "0123456789", 10) == 10);
    OK(shutdown(s, SHUT_WR));
    FAILS(EPIPE, send(s, "x", 1, MSG_NOSIGNAL));
    long sum;
    read_all(s, &sum, sizeof sum);
    char c;
    CHECK(read(s, &c, 1) == 0);
    _exit(sum == 10000 ? 0 : 1);
  }
  int s = OK(accept(server, NULL, NULL));
  char buffer[4096];
  long sum = 0, reads = 0;
  for (ssize_t n; (n = OK(read(s, buffer, sizeof buffer))) > 0;) sum += n, reads++;
  CHECK(write(s, &sum, sizeof sum) == sizeof sum);
  OK(close(s));
  reap_ok(child);
  say("%ld bytes in %ld reads", sum, reads);
}
