// lseek SEEK_DATA and SEEK_HOLE on a sparse file; SEEK_END; EINVAL, ENXIO, ESPIPE
#include "guest.h"
int main(void) {
  scratch();
  int fd = OK(open("sparse", O_RDWR | O_CREAT, 0600));
  CHECK(pwrite(fd, "x", 1, 1 << 20) == 1);
  CHECK(lseek(fd, 0, SEEK_END) == (1 << 20) + 1);
  long data = lseek(fd, 0, SEEK_DATA), hole = lseek(fd, 0, SEEK_HOLE);
  CHECK(hole >= 0);
  FAILS(ENXIO, lseek(fd, 2 << 20, SEEK_DATA));
  FAILS(EINVAL, lseek(fd, -1, SEEK_SET));
  FAILS(EINVAL, lseek(fd, 0, 99));
  int fds[2];
  OK(pipe(fds));
  FAILS(ESPIPE, lseek(fds[0], 0, SEEK_CUR));
  struct stat st;
  OK(fstat(fd, &st));
  say("data at %ld, hole at %ld, %ld blocks", data, hole, (long)st.st_blocks);
}
