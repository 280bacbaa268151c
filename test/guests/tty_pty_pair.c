// A pseudo terminal: echo, line editing, raw mode, winsize with SIGWINCH, names
#include "guest.h"
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
int main(void) {
  int master, slave;
  char name[64], text[128] = "";
  struct winsize size = {24, 80, 0, 0}, got;
  if (openpty(&master, &slave, name, NULL, &size) < 0) UNAVAILABLE("pseudo terminals");
  CHECK(isatty(slave) && strcmp(ttyname(slave), name) == 0);
  say("%s", name);
  CHECK(write(master, "helxx\177\177lo\n", 10) == 10);
  CHECK(read(slave, text, 128) == 6 && strcmp(text, "hello\n") == 0);
  ssize_t n = OK(read(master, text, 128));
  say("echo of %zd bytes", n);
  struct termios t;
  OK(tcgetattr(slave, &t));
  cfmakeraw(&t);
  OK(tcsetattr(slave, TCSANOW, &t));
  CHECK(write(master, "ab\003", 3) == 3 && read(slave, text, 3) == 3 && text[2] == 3);
  CHECK(write(slave, "x\ny", 3) == 3 && read(master, text, 10) == 3);
  OK(ioctl(slave, TIOCGWINSZ, &got));
  CHECK(got.ws_row == 24 && got.ws_col == 80);
  got.ws_row = 50;
  OK(ioctl(master, TIOCSWINSZ, &got));
  OK(ioctl(slave, TIOCGWINSZ, &got));
  CHECK(got.ws_row == 50);
  int waiting;
  CHECK(write(master, "123", 3) == 3);
  OK(ioctl(slave, FIONREAD, &waiting));
  OK(tcflush(slave, TCIFLUSH));
  say("waiting %d, speed %u", waiting, cfgetospeed(&t));
}
