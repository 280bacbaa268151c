// flock between processes: shared, exclusive, non-blocking, released at exit
#include "guest.h"
#include <sys/file.h>
int main(void) {
  scratch();
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600)), sync[2];
  OK(pipe(sync));
  OK(flock(fd, LOCK_EX));
  pid_t child = OK(fork());
  if (child == 0) {
    int mine = OK(open("f", O_RDWR));
    FAILS(EWOULDBLOCK, flock(mine, LOCK_SH | LOCK_NB));
    CHECK(write(sync[1], "x", 1) == 1);
    OK(flock(mine, LOCK_EX));
    _exit(0);
  }
  char c;
  CHECK(read(sync[0], &c, 1) == 1);
  sleep_ms(5);
  OK(flock(fd, LOCK_UN));
  reap_ok(child);
  OK(flock(fd, LOCK_SH));
  OK(flock(OK(open("f", O_RDONLY)), LOCK_SH | LOCK_NB));
  say("lock went to %d and back", (int)child);
}
