// mremap grows in place or moves, shrinks, moves to a fixed place, keeps contents
#include "guest.h"
int main(void) {
  char* a = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  strcpy(a + 4096, "kept");
  char* b = OK(mremap(a, 8192, 1 << 20, MREMAP_MAYMOVE));
  CHECK(strcmp(b + 4096, "kept") == 0 && b[(1 << 20) - 1] == 0);
  say("%p -> %p", (void*)a, (void*)b);
  CHECK(mremap(b, 1 << 20, 8192, 0) == b);
  char* c = OK(mmap(NULL, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  CHECK(mremap(b, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, c + 4096) == c + 4096);
  CHECK(strcmp(c + 8192, "kept") == 0);
  FAILS(EFAULT, mremap(b, 4096, 8192, MREMAP_MAYMOVE));
  FAILS(EINVAL, mremap(c, 65536, 0, 0));
  char* d = mremap(c + 4096, 8192, 8192, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
  if (d != MAP_FAILED) CHECK(strcmp(d + 4096, "kept") == 0 && c[8192] == 0);
  say("left behind and moved: %p", (void*)d);
  scratch();
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  OK(ftruncate(fd, 16384));
  CHECK(pwrite(fd, "file", 5, 8192) == 5);
  char* f = OK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0));
  f = OK(mremap(f, 4096, 16384, MREMAP_MAYMOVE));
  CHECK(strcmp(f + 8192, "file") == 0);
}
