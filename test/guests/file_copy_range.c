// copy_file_range with offsets, and a clone ioctl that is mostly refused
#include "guest.h"
#include <linux/fs.h>
#include <sys/ioctl.h>
int main(void) {
  scratch();
  put_file("a", "copied inside the kernel");
  int a = OK(open("a", O_RDONLY)), b = OK(open("b", O_RDWR | O_CREAT, 0600));
  off_t from = 7, to = 3;
  ssize_t n = copy_file_range(a, &from, b, &to, 6, 0);
  if (n < 0) UNAVAILABLE("copy_file_range");
  CHECK(n == 6 && from == 13 && to == 9);
  char text[16] = "";
  CHECK(pread(b, text, 16, 0) == 9 && memcmp(text, "\0\0\0inside", 9) == 0);
  CHECK(copy_file_range(a, NULL, b, NULL, 100, 0) == 24);
  CHECK(copy_file_range(a, NULL, b, NULL, 100, 0) == 0);
  int result = ioctl(b, FICLONE, a);
  say("clone: %s", result < 0 ? strerror(errno) : "done");
}
