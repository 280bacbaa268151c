// A thousand small maps, unmapped in another order, with the addresses folded into a hash
#include "guest.h"
int main(void) {
  static char* maps[1000];
  uint64_t hash = 0;
  for (int i = 0; i < 1000; i++) {
    maps[i] = OK(mmap(NULL, 4096u * (unsigned)(1 + i % 3), PROT_READ | (i % 2 ? PROT_WRITE : 0),
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    hash = hash * 31 + (uintptr_t)maps[i];
    if (i % 2) *maps[i] = (char)i;
  }
  for (int k = 0; k < 1000; k++) {
    int i = (k * 7) % 1000;
    if (i % 2) CHECK(*maps[i] == (char)i);
    OK(munmap(maps[i], 4096u * (unsigned)(1 + i % 3)));
  }
  say("hash of addresses %lx", (unsigned long)hash);
}
