// syscall instructions at odd sites: jumped to, back to back, behind conditional jumps, in loops, at a function's end
#include "guest.h"
int main(void) {
  long pid = getpid(), a, b, c;
  // Jumped to directly, past what precedes it.
  __asm__ volatile("mov $39, %%eax\n jmp 1f\n .byte 0x0f, 0x0b\n1: syscall" : "=a"(a) : : "rcx", "r11", "memory");
  CHECK(a == pid);
  // Two back to back.
  __asm__ volatile("mov $102, %%eax\n syscall\n mov $39, %%eax\n syscall" : "=a"(b) : : "rcx", "r11", "memory");
  CHECK(b == pid);
  __asm__ volatile("mov $39, %%eax\n syscall\n syscall" : "=a"(c) : "D"(0), "S"(0), "d"(0) : "rcx", "r11", "memory");
  say("syscall number %ld gave %ld", pid, c);
  // The instruction behind the syscall is a target of a loop.
  long loops = 0;
  __asm__ volatile(
      "xor %%ebx, %%ebx\n jmp 2f\n1: mov $39, %%eax\n syscall\n2: inc %%rbx\n cmp $5, %%rbx\n jb 1b\n mov %%rbx, %1"
      : "=a"(a), "=r"(loops)
      :
      : "rbx", "rcx", "r11", "memory", "cc");
  CHECK(a == pid && loops == 5);
  // A short conditional jump straight behind it.
  __asm__ volatile("mov $39, %%eax\n syscall\n test %%rax, %%rax\n js 1f\n add $1, %%rax\n1:"
                   : "=a"(a)
                   :
                   : "rcx", "r11", "memory", "cc");
  CHECK(a == pid + 1);
  // Call and ret around a bare syscall; ret is one byte, what follows belongs to somebody else.
  __asm__ volatile("sub $128, %%rsp\n mov $39, %%eax\n call 1f\n jmp 2f\n1: syscall\n ret\n2: add $128, %%rsp"
                   : "=a"(a)
                   :
                   : "rcx", "r11", "memory", "cc");
  CHECK(a == pid);
  // rip-relative operand straight behind the syscall.
  __asm__ volatile("mov $39, %%eax\n syscall\n lea 1f(%%rip), %1\n1: mov %1, %1"
                   : "=a"(a), "=r"(b)
                   :
                   : "rcx", "r11", "memory");
  CHECK(a == pid && b != 0);
}
