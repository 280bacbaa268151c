// int 0x80 from 64-bit code, where the kernel allows it: getpid and a failing call
#include "guest.h"
#include <setjmp.h>
static sigjmp_buf back;
static void handler(int signo) { siglongjmp(back, signo); }
int main(void) {
  on_signal(SIGSEGV, handler, 0);
  if (sigsetjmp(back, 1)) {
    say("int 0x80 is not to be had here");
    return 0;
  }
  int a, b;
  __asm__ volatile("int $0x80" : "=a"(a) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
  __asm__ volatile("int $0x80" : "=a"(b) : "a"(6), "b"(999) : "memory", "r8", "r9", "r10", "r11");
  CHECK((a == getpid() && b == -EBADF) || a == -ENOSYS);
  say("int 0x80: %d %d", a, b);
}
