// madvise: DONTNEED zeroes, FREE, WILLNEED, HUGEPAGE, wrong advice
#include "guest.h"
int main(void) {
  char* a = OK(mmap(NULL, 4 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  memset(a, 7, 4 << 20);
  OK(madvise(a + 4096, 8192, MADV_DONTNEED));
  CHECK(a[4095] == 7 && a[4096] == 0 && a[12287] == 0 && a[12288] == 7);
  OK(madvise(a, 4 << 20, MADV_WILLNEED));
  OK(madvise(a, 4 << 20, MADV_SEQUENTIAL));
  say("hugepage %d", madvise(a, 4 << 20, MADV_HUGEPAGE));
  OK(madvise(a, 4096, MADV_DONTFORK));
  OK(madvise(a, 4096, MADV_DOFORK));
  OK(madvise(a + 8192, 4096, MADV_WIPEONFORK));
  a[8192] = 9;
  pid_t child = OK(fork());
  if (child == 0) _exit(a[8192] != 0 || a[0] != 7);
  reap_ok(child);
  FAILS(EINVAL, madvise(a, 4096, 9999));
  FAILS(EINVAL, madvise(a + 1, 4096, MADV_DONTNEED));
  scratch();
  put_file("f", "original");
  int fd = OK(open("f", O_RDONLY));
  char* f = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  f[0] = 'X';
  OK(madvise(f, 4096, MADV_DONTNEED));
  CHECK(f[0] == 'o');
}
