// malloc over brk and mmap thresholds, realloc by mremap, trimming; addresses printed
#include "guest.h"
#include <malloc.h>
int main(void) {
  void* kept[24];
  for (int i = 0; i < 24; i++) {
    kept[i] = malloc((size_t)1 << i);
    CHECK(kept[i] != NULL);
    memset(kept[i], i, (size_t)1 << i);
    say("%d bytes at %p", 1 << i, kept[i]);
  }
  for (int i = 0; i < 24; i += 2) kept[i] = realloc(kept[i], (size_t)3 << i);
  for (int i = 0; i < 24; i++) {
    CHECK(*(char*)kept[i] == (char)i);
    free(kept[i]);
  }
  say("trim %d", malloc_trim(0));
  void* aligned;
  ZERO(posix_memalign(&aligned, 65536, 100));
  CHECK((uintptr_t)aligned % 65536 == 0);
  free(aligned);
}
