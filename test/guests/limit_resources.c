// getrlimit, setrlimit, prlimit of itself and of a child; RLIMIT_FSIZE gives SIGXFSZ
#include "guest.h"
#include <sys/resource.h>
static volatile sig_atomic_t exceeded;
static void handler(int signo) { (void)signo, exceeded++; }
int main(void) {
  for (int i = 0; i < RLIM_NLIMITS; i++) {
    struct rlimit limit;
    OK(getrlimit((__rlimit_resource_t)i, &limit));
    say("limit %d: %lx %lx", i, (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
  }
  scratch();
  OK(prlimit(0, RLIMIT_FSIZE, &(struct rlimit){1000, RLIM_INFINITY}, NULL));
  on_signal(SIGXFSZ, handler, 0);
  int fd = OK(open("f", O_WRONLY | O_CREAT, 0600));
  char block[600] = {0};
  CHECK(write(fd, block, 600) == 600 && write(fd, block, 600) == 400);
  FAILS(EFBIG, write(fd, block, 1));
  CHECK(exceeded == 1);
  OK(prlimit(0, RLIMIT_FSIZE, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY}, NULL));
  pid_t child = OK(fork());
  if (child == 0)
    for (;;) pause();
  struct rlimit old;
  OK(prlimit(child, RLIMIT_CORE, &(struct rlimit){0, 0}, &old));
  OK(prlimit(child, RLIMIT_CORE, NULL, &old));
  CHECK(old.rlim_cur == 0);
  OK(kill(child, SIGKILL));
  reap(child);
  FAILS(EINVAL, setrlimit(RLIMIT_NOFILE, &(struct rlimit){10, 5}));
}
