// Junk in the upper half of 32-bit arguments is ignored as the kernel does
#include "guest.h"
static long raw(long nr, long a, long b, long c) {
  long ret;
  __asm__ volatile("syscall" : "=a"(ret) : "a"(nr), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
  return ret;
}
int main(void) {
  long junk = 0x7fff00000000;
  CHECK(raw(SYS_write, junk | 1, (long)"junk above the descriptor\n", 26) == 26);
  CHECK(raw(SYS_close, junk | 999, 0, 0) == -EBADF);
  CHECK(raw(SYS_getpriority, junk, 0, 0) >= 0);
  CHECK(raw(SYS_kill, junk | getpid(), 0, 0) == 0);
}
