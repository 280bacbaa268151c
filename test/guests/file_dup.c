// dup, dup2, dup3, F_DUPFD: shared offsets, lowest numbers, close_range
#include "guest.h"
int main(void) {
  scratch();
  put_file("f", "0123456789");
  int a = OK(open("f", O_RDONLY)), b = OK(dup(a)), c;
  char x[4] = "";
  CHECK(read(a, x, 3) == 3 && read(b, x, 3) == 3 && x[0] == '3');
  CHECK(dup2(a, 50) == 50 && dup2(50, 50) == 50);
  FAILS(EINVAL, dup3(a, a, 0));
  CHECK(dup3(a, 51, O_CLOEXEC) == 51 && fcntl(51, F_GETFD) == FD_CLOEXEC);
  CHECK((c = fcntl(a, F_DUPFD, 60)) == 60);
  OK(close(b));
  CHECK(dup(a) == b);
  FAILS(EBADF, dup2(999, 3));
  long result = syscall(436 /* close_range */, 50, 60, 0);
  if (result == 0) FAILS(EBADF, fcntl(51, F_GETFD));
  say("lowest %d, close_range %ld", b, result);
}
