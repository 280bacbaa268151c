// A FIFO: opens that wait for each other, ENXIO, non-blocking reader, several writers
#include "guest.h"
int main(void) {
  scratch();
  OK(mkfifo("fifo", 0600));
  FAILS(ENXIO, open("fifo", O_WRONLY | O_NONBLOCK));
  for (int i = 0; i < 3; i++)
    if (OK(fork()) == 0) {
      int fd = OK(open("fifo", O_WRONLY));
      char text[32];
      int n = snprintf(text, sizeof text, "writer %d\n", i);
      CHECK(write(fd, text, (size_t)n) == n);
      _exit(0);
    }
  int fd = OK(open("fifo", O_RDONLY));
  char text[256];
  long total = 0;
  while (total < 27) {
    ssize_t n = OK(read(fd, text + total, sizeof text - (size_t)total));
    if (n == 0) sleep_ms(1);  // a writer closed before the next one opened
    total += n;
  }
  text[total] = 0;
  say("%s", text);
  for (int i = 0; i < 3; i++) OK(wait(NULL));
  struct stat st;
  OK(stat("fifo", &st));
  CHECK(S_ISFIFO(st.st_mode));
}
