// The *at calls relative to a directory: openat, mkdirat, symlinkat, linkat, mknodat, openat2
#include "guest.h"
#include <linux/openat2.h>
int main(void) {
  scratch();
  OK(mkdir("d", 0700));
  int d = OK(open("d", O_RDONLY | O_DIRECTORY));
  OK(mkdirat(d, "sub", 0700));
  int fd = OK(openat(d, "sub/f", O_RDWR | O_CREAT, 0600));
  CHECK(write(fd, "x", 1) == 1);
  OK(linkat(d, "sub/f", d, "hard", 0));
  OK(symlinkat("sub/f", d, "soft"));
  OK(mknodat(d, "fifo", S_IFIFO | 0600, 0));
  char text[64] = "";
  CHECK(readlinkat(d, "soft", text, 63) == 5);
  struct open_how how = {.flags = O_RDONLY, .resolve = RESOLVE_BENEATH};
  long opened = syscall(SYS_openat2, d, "hard", &how, sizeof how);
  long outside = syscall(SYS_openat2, d, "../d/hard", &how, sizeof how);
  say("openat2: %ld, outside %ld %s", opened, outside, strerror(errno));
  OK(renameat(d, "hard", AT_FDCWD, "moved"));
  FAILS(EBADF, openat(999, "x", O_RDONLY));
  FAILS(ENOTDIR, openat(fd, "x", O_RDONLY));
}
