// getdents64 with a small buffer, in many calls, over /etc
#include "guest.h"
int main(void) {
  int fd = OK(open("/etc", O_RDONLY | O_DIRECTORY));
  char buffer[200];
  long calls = 0, entries = 0;
  unsigned long hash = 0;
  for (long n; (n = OK(syscall(SYS_getdents64, fd, buffer, sizeof buffer))) > 0; calls++)
    for (long at = 0; at < n; entries++) {
      unsigned short size;
      memcpy(&size, buffer + at + 16, 2);
      for (char* c = buffer + at + 19; *c; c++) hash = hash * 31 + (unsigned char)*c;
      at += size;
    }
  FAILS(EINVAL, syscall(SYS_getdents64, OK(open("/etc", O_RDONLY)), buffer, 10));
  FAILS(ENOTDIR, syscall(SYS_getdents64, OK(open("/etc/passwd", O_RDONLY)), buffer, sizeof buffer));
  say("%ld entries in %ld calls, hash %lx", entries, calls, hash);
}
