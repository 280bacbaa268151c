// Two processes append to one file with O_APPEND; the final order of lines is printed
#include "guest.h"
int main(void) {
  scratch();
  int fd = OK(open("log", O_RDWR | O_CREAT | O_APPEND, 0600));
  pid_t child = OK(fork());
  char letter = child == 0 ? 'c' : 'p';
  for (int i = 0; i < 40; i++) {
    CHECK(write(fd, &letter, 1) == 1);
    if (i % 4 == 0) sched_yield();
  }
  if (child == 0) _exit(0);
  reap_ok(child);
  char text[81] = "";
  CHECK(pread(fd, text, 80, 0) == 80);
  say("%s", text);
}
