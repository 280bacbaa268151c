// Terminal ioctls on what is no terminal: ENOTTY; isatty of the standard descriptors; /dev/tty
#include "guest.h"
#include <sys/ioctl.h>
#include <termios.h>
int main(void) {
  int fds[2];
  OK(pipe(fds));
  struct termios t;
  struct winsize size;
  FAILS(ENOTTY, tcgetattr(fds[0], &t));
  FAILS(ENOTTY, ioctl(OK(open("/dev/null", O_RDONLY)), TIOCGWINSZ, &size));
  FAILS(EBADF, ioctl(999, TIOCGWINSZ, &size));
  say("terminals: %d %d %d", isatty(0), isatty(1), isatty(2));
  int tty = open("/dev/tty", O_RDWR);
  say("/dev/tty: %s", tty < 0 ? "none" : "there");
}
