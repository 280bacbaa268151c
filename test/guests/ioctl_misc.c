// FIONREAD, FIONBIO, FIOCLEX, unknown ioctls on many kinds of descriptor
#include "guest.h"
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
int main(void) {
  int fds[2], n, on = 1, s[2];
  OK(pipe(fds));
  CHECK(write(fds[1], "12345", 5) == 5);
  OK(ioctl(fds[0], FIONREAD, &n));
  CHECK(n == 5);
  OK(ioctl(fds[0], FIONBIO, &on));
  CHECK(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
  OK(ioctl(fds[0], FIOCLEX));
  CHECK(fcntl(fds[0], F_GETFD) == FD_CLOEXEC);
  OK(ioctl(fds[0], FIONCLEX));
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
  CHECK(write(s[0], "abc", 3) == 3);
  OK(ioctl(s[1], FIONREAD, &n));
  CHECK(n == 3);
  scratch();
  put_file("f", "1234567");
  int f = OK(open("f", O_RDONLY));
  OK(ioctl(f, FIONREAD, &n));
  CHECK(n == 7);
  long flags = 0;
  int result = ioctl(f, FS_IOC_GETFLAGS, &flags);
  say("file flags: %d %lx", result, flags);
  say("unknown: %d %d %d", ioctl(f, 0x12345678, &n), ioctl(s[0], 0xdeadbeef, &n), ioctl(fds[0], 0xfeed, NULL));
  FAILS(ENOTTY, ioctl(f, 0x12345678, &n));
}
