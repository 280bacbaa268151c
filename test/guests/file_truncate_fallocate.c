// truncate, ftruncate, fallocate with its modes, posix_fallocate, posix_fadvise
#include "guest.h"
int main(void) {
  scratch();
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  struct stat st;
  CHECK(write(fd, "0123456789", 10) == 10);
  OK(ftruncate(fd, 4));
  OK(truncate("f", 100));
  char text[100];
  CHECK(pread(fd, text, 100, 0) == 100 && memcmp(text, "0123\0\0", 6) == 0);
  ZERO(posix_fallocate(fd, 0, 65536));
  OK(fstat(fd, &st));
  CHECK(st.st_size == 65536);
  int punched = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096);
  if (punched == 0) CHECK(pread(fd, text, 4, 0) == 4 && text[0] == 0);
  say("punch hole: %d, %ld blocks", punched, (long)st.st_blocks);
  say("keep size: %d", fallocate(fd, FALLOC_FL_KEEP_SIZE, 65536, 65536));
  ZERO(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
  FAILS(EINVAL, ftruncate(fd, -1));
  FAILS(EINVAL, fallocate(fd, 0, 0, 0));
}
