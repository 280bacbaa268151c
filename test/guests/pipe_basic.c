// A pipe between parent and child: partial reads, EOF, PIPE_BUF atomicity
#include "guest.h"
int main(void) {
  int fds[2];
  OK(pipe(fds));
  pid_t child = OK(fork());
  if (child == 0) {
    OK(close(fds[0]));
    for (int i = 0; i < 100; i++) CHECK(write(fds[1], "0123456789", 10) == 10);
    _exit(0);
  }
  OK(close(fds[1]));
  char buffer[64];
  long total = 0;
  unsigned long hash = 0;
  for (ssize_t n; (n = OK(read(fds[0], buffer, sizeof buffer))) > 0;) total += n, hash = hash * 67 + (unsigned long)n;
  CHECK(total == 1000);
  reap_ok(child);
  say("sizes of the reads hash to %lx", hash);
}
