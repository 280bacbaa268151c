// mknod of a regular file and a socket node; device nodes may be refused
#include "guest.h"
#include <sys/sysmacros.h>
int main(void) {
  scratch();
  OK(mknod("regular", S_IFREG | 0600, 0));
  OK(mknod("socket", S_IFSOCK | 0600, 0));
  FAILS(ENXIO, open("socket", O_RDONLY));
  int result = mknod("device", S_IFCHR | 0600, makedev(1, 3));
  say("device node: %s", result < 0 ? strerror(errno) : "made");
  struct stat st;
  OK(stat("socket", &st));
  CHECK(S_ISSOCK(st.st_mode));
}
