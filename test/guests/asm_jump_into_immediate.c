// A jump into the middle of an instruction reaches a hidden syscall
#include "guest.h"
int main(void) {
  long a;
  // eb 02 ... inside the movabs immediate: 0f 05 (syscall) 90 eb 02 ...
  __asm__ volatile(
      "mov $39, %%eax\n"
      "jmp 1f + 2\n"
      "1: .byte 0x48, 0xba, 0x0f, 0x05, 0xeb, 0x04, 0x90, 0x90, 0x90, 0x90\n"  // movabs $..., %%rdx holding: syscall; jmp +4
      : "=a"(a)
      :
      : "rcx", "r11", "rdx", "memory");
  CHECK(a == getpid());
  say("hidden call gave %ld", a);
}
