// forkpty: a child with a controlling terminal gets SIGINT from ^C and SIGWINCH from a resize
#include "guest.h"
#include <pty.h>
#include <sys/ioctl.h>
#include <termios.h>
static volatile sig_atomic_t interrupts, resizes;
static void handler(int signo) { signo == SIGINT ? interrupts++ : resizes++; }
int main(void) {
  int master;
  pid_t child = forkpty(&master, NULL, NULL, NULL);
  if (child < 0) UNAVAILABLE("pseudo terminals");
  if (child == 0) {
    on_signal(SIGINT, handler, 0);
    on_signal(SIGWINCH, handler, 0);
    CHECK(getsid(0) == getpid() && tcgetpgrp(0) == getpid());
    CHECK(write(1, "ready\n", 6) == 6);
    while (!interrupts || !resizes) sleep_ms(1);
    _exit(12);
  }
  char text[256];
  ssize_t n = OK(read(master, text, sizeof text));
  CHECK(n > 0);
  CHECK(write(master, "\003", 1) == 1);
  OK(ioctl(master, TIOCSWINSZ, &(struct winsize){10, 20, 0, 0}));
  CHECK(WEXITSTATUS(reap(child)) == 12);
  while ((n = read(master, text, sizeof text)) > 0) {}
  CHECK(n < 0 && errno == EIO);
  say("session of %d over", (int)child);
}
