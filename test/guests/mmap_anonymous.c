// Anonymous maps: zero filled, addresses printed, holes, fixed and refused
#include "guest.h"
int main(void) {
  char* a = OK(mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  char* b = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  say("%p %p", (void*)a, (void*)b);
  for (int i = 0; i < 1 << 20; i += 4096) CHECK(a[i] == 0);
  OK(munmap(a + 8192, 4096));
  CHECK(mmap(a + 8192, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == a + 8192);
  FAILS(EEXIST, mmap(a, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
  FAILS(EINVAL, mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  FAILS(EBADF, mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, -1, 0));
  FAILS(EINVAL, mmap((void*)4097, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
  char* low = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
  CHECK(low == MAP_FAILED || (uintptr_t)low < 1ul << 31);
  say("below 2 GB: %p", (void*)low);
}
