// A file of 8 MB written and read back in 64 KB pieces, its checksum printed
#include "guest.h"
int main(void) {
  scratch();
  static uint32_t block[16384];
  uint32_t state = (uint32_t)time(NULL), sum = 0, again = 0;
  int fd = OK(open("big", O_RDWR | O_CREAT, 0600));
  for (int i = 0; i < 128; i++) {
    for (int k = 0; k < 16384; k++) sum += block[k] = state = state * 1664525 + 1013904223;
    CHECK(write(fd, block, sizeof block) == sizeof block);
  }
  OK(lseek(fd, 0, SEEK_SET));
  for (int i = 0; i < 128; i++) {
    CHECK(read(fd, block, sizeof block) == sizeof block);
    for (int k = 0; k < 16384; k++) again += block[k];
  }
  CHECK(sum == again);
  say("sum %u", sum);
}
