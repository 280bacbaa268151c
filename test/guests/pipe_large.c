// A megabyte through a pipe with a checksum on both sides
#include "guest.h"
int main(void) {
  int fds[2];
  OK(pipe(fds));
  pid_t child = OK(fork());
  static unsigned char buffer[1 << 16];
  unsigned long hash = 0;
  uint32_t state = 1;
  if (child == 0) {
    for (int i = 0; i < 16; i++) {
      for (size_t k = 0; k < sizeof buffer; k++)
        buffer[k] = (unsigned char)((state = state * 1664525 + 1013904223) >> 24);
      for (size_t done = 0; done < sizeof buffer;)
        done += (size_t)OK(write(fds[1], buffer + done, sizeof buffer - done));
    }
    _exit(0);
  }
  OK(close(fds[1]));
  long total = 0;
  for (ssize_t n; (n = OK(read(fds[0], buffer, sizeof buffer))) > 0; total += n)
    for (ssize_t k = 0; k < n; k++)
      CHECK(buffer[k] == (unsigned char)((state = state * 1664525 + 1013904223) >> 24)), hash = hash * 31 + buffer[k];
  CHECK(total == 1 << 20);
  reap_ok(child);
  say("1 MB, hash %lx", hash);
}
