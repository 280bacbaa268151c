// Scattered reads and writes over a pipe
#include "guest.h"
#include <sys/uio.h>
int main(void) {
  int fds[2];
  OK(pipe(fds));
  char a[3], b[5], c[100];
  struct iovec out[4] = {{"one", 3}, {"", 0}, {"two", 3}, {"three", 5}}, in[3] = {{a, 3}, {b, 5}, {c, 100}};
  CHECK(writev(fds[1], out, 4) == 11);
  memset(c, 0, sizeof c);
  CHECK(readv(fds[0], in, 3) == 11);
  CHECK(memcmp(a, "one", 3) == 0 && memcmp(b, "twoth", 5) == 0 && strcmp(c, "ree") == 0);
  FAILS(EINVAL, syscall(SYS_writev, fds[1], out, -1));
  FAILS(EINVAL, syscall(SYS_writev, fds[1], out, 2000));
  FAILS(EFAULT, writev(fds[1], (struct iovec[]){{(void*)8, 10}}, 1));
  say("scattered");
}
