// POSIX record locks: F_SETLK, F_SETLKW, F_GETLK tells the owner, EDEADLK
#include "guest.h"
static int lock(int fd, int how, short type, long start, long length) {
  return fcntl(fd, how, &(struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length});
}
int main(void) {
  scratch();
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600)), to_parent[2], to_child[2];
  OK(pipe(to_parent));
  OK(pipe(to_child));
  OK(lock(fd, F_SETLK, F_WRLCK, 0, 10));
  pid_t child = OK(fork());
  char c;
  if (child == 0) {
    struct flock who = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 5, .l_len = 1};
    OK(fcntl(fd, F_GETLK, &who));
    CHECK(who.l_type == F_WRLCK && who.l_pid == getppid() && who.l_len == 10);
    FAILS(EAGAIN, lock(fd, F_SETLK, F_WRLCK, 9, 2));
    OK(lock(fd, F_SETLK, F_WRLCK, 10, 10));
    CHECK(write(to_parent[1], "x", 1) == 1);
    CHECK(read(to_child[0], &c, 1) == 1);
    // Whoever is the last to wait for the other is told so.
    CHECK(lock(fd, F_SETLKW, F_WRLCK, 0, 1) == 0 || errno == EDEADLK);
    _exit(0);
  }
  CHECK(read(to_parent[0], &c, 1) == 1);
  FAILS(EAGAIN, lock(fd, F_SETLK, F_RDLCK, 15, 1));
  CHECK(write(to_child[1], "x", 1) == 1);
  sleep_ms(5);
  int result = lock(fd, F_SETLKW, F_WRLCK, 10, 1);
  say("waiting for one another: %s", result < 0 ? strerror(errno) : "got it");
  OK(lock(fd, F_SETLK, F_UNLCK, 0, 0));
  reap_ok(child);
}
