// System calls into memory without permission fail with EFAULT, partly filled buffers give partial results
#include "guest.h"
#include <sys/uio.h>
int main(void) {
  char* area = OK(mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(mprotect(area + 4096, 4096, PROT_NONE));
  int fds[2];
  OK(pipe(fds));
  CHECK(write(fds[1], area, 3000) == 3000);
  FAILS(EFAULT, read(fds[0], area + 4096, 100));
  FAILS(EFAULT, write(fds[1], area + 5000, 10));
  struct iovec parts[2] = {{area, 100}, {area + 4096, 100}};
  ssize_t n = readv(fds[0], parts, 2);
  say("readv over a hole: %zd", n);
  n = read(fds[0], area + 4096 - 50, 100);
  say("read over an edge: %zd errno %d", n, n < 0 ? errno : 0);
  int zero = OK(open("/dev/zero", O_RDONLY));
  n = read(zero, area + 4096 - 50, 100);
  say("zero over an edge: %zd", n);
  struct stat st;
  FAILS(EFAULT, fstat(0, (struct stat*)(area + 4096)) < 0 ? -1 : 0);
  OK(fstat(0, &st));
  FAILS(EFAULT, syscall(SYS_clock_gettime, 1, area + 4096));
}
