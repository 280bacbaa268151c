// sendfile from a file to a socket, with and without an offset
#include "guest.h"
#include "net.h"
#include <sys/sendfile.h>
int main(void) {
  scratch();
  int f = OK(open("data", O_RDWR | O_CREAT, 0600));
  char block[1000];
  for (int i = 0; i < 100; i++) memset(block, 'a' + i % 26, sizeof block), CHECK(write(f, block, sizeof block) == 1000);
  int port, server = tcp_listen(&port);
  pid_t child = OK(fork());
  if (child == 0) {
    int s = tcp_connect(port);
    off_t offset = 0;
    while (offset < 100000) OK(sendfile(s, f, &offset, 100000 - (size_t)offset));
    OK(lseek(f, 99990, SEEK_SET));
    CHECK(sendfile(s, f, NULL, 100) == 10);
    _exit(0);
  }
  int s = OK(accept(server, NULL, NULL));
  unsigned long hash = 0;
  long total = 0, reads = 0;
  for (ssize_t n; (n = OK(read(s, block, sizeof block))) > 0; total += n, reads++)
    for (ssize_t i = 0; i < n; i++) hash = hash * 31 + (unsigned char)block[i];
  CHECK(total == 100010);
  reap_ok(child);
  say("%ld bytes in %ld reads, hash %lx", total, reads, hash);
}
