// Up to the limit of open files, then EMFILE; the numbers are dense
#include "guest.h"
#include <sys/resource.h>
int main(void) {
  OK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, 64}));
  int last = -1, count = 0, fd;
  while ((fd = open("/dev/null", O_RDONLY)) >= 0) last = fd, count++;
  CHECK(errno == EMFILE && last == 63);
  FAILS(EMFILE, dup(0));
  int fds[2];
  FAILS(EMFILE, pipe(fds));
  for (fd = 4; fd < 64; fd++) close(fd);
  CHECK(open("/dev/null", O_RDONLY) <= 4);
  say("%d opened", count);
}
