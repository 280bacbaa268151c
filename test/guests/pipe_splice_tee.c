// splice between file and pipe, tee, vmsplice
#include "guest.h"
#include <sys/uio.h>
int main(void) {
  scratch();
  put_file("in", "spliced through the kernel");
  int in = OK(open("in", O_RDONLY)), out = OK(open("out", O_RDWR | O_CREAT, 0600)), a[2], b[2];
  OK(pipe(a));
  OK(pipe(b));
  loff_t offset = 8;
  CHECK(splice(in, &offset, a[1], NULL, 100, 0) == 18 && offset == 26);
  CHECK(tee(a[0], b[1], 7, 0) == 7);
  CHECK(splice(a[0], NULL, out, NULL, 100, SPLICE_F_MOVE) == 18);
  char text[64] = "";
  CHECK(read(b[0], text, 63) == 7 && strcmp(text, "through") == 0);
  CHECK(pread(out, text, 63, 0) == 18 && strncmp(text, "through the kernel", 18) == 0);
  struct iovec part = {"vmspliced", 9};
  CHECK(vmsplice(a[1], &part, 1, 0) == 9);
  char got[32] = "";
  struct iovec into = {got, 32};
  ssize_t n = vmsplice(a[0], &into, 1, 0);
  CHECK(n == 9 && strcmp(got, "vmspliced") == 0);
  FAILS(EAGAIN, splice(a[0], NULL, out, NULL, 10, SPLICE_F_NONBLOCK));
  FAILS(EINVAL, splice(in, NULL, out, NULL, 10, 0));
  say("%.18s", text);
}
