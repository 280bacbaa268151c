// read, write, pread, pwrite, readv, preadv, pwritev2; offsets and ends
#include "guest.h"
#include <sys/uio.h>
int main(void) {
  scratch();
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  CHECK(write(fd, "0123456789", 10) == 10);
  CHECK(pwrite(fd, "abc", 3, 3) == 3 && lseek(fd, 0, SEEK_CUR) == 10);
  char text[32] = "";
  CHECK(pread(fd, text, 32, 2) == 8 && strcmp(text, "2abc6789") == 0);
  CHECK(pread(fd, text, 32, 100) == 0);
  FAILS(EINVAL, pread(fd, text, 1, -1));
  struct iovec out[2] = {{"XX", 2}, {"YYY", 3}};
  CHECK(pwritev(fd, out, 2, 20) == 5);
  CHECK(pwritev2(fd, out, 2, -1, RWF_APPEND) == 5);
  char a[4], b[30];
  struct iovec in[2] = {{a, 4}, {b, 30}};
  CHECK(preadv(fd, in, 2, 0) == 30);
  CHECK(preadv2(fd, in, 2, 10, RWF_NOWAIT) > 0 || errno == EAGAIN || errno == EOPNOTSUPP);
  CHECK(lseek(fd, 5, SEEK_SET) == 5 && readv(fd, in, 2) == 25);
  CHECK(memcmp(b + 6, "\0\0\0\0\0XXYYY", 10) == 0);
  OK(fsync(fd));
  OK(fdatasync(fd));
  say("30 bytes, now at %ld", (long)lseek(fd, 0, SEEK_CUR));
}
