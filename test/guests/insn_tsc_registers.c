// rdtsc leaves every other register and the flags alone, at several kinds of site
#include "guest.h"
int main(void) {
  for (int i = 0; i < 100; i++) {
    unsigned long rax, rdx, rbx = 0x1111, rsi = 0x2222, rdi = 0x3333, flags;
    __asm__ volatile("stc\n rdtsc\n pushfq\n pop %2"
                     : "=a"(rax), "=d"(rdx), "=r"(flags), "+b"(rbx), "+S"(rsi), "+D"(rdi)
                     :
                     : "cc", "memory");
    CHECK(rax >> 32 == 0 && rdx >> 32 == 0 && (flags & 1) && rbx == 0x1111 && rsi == 0x2222 && rdi == 0x3333);
    unsigned long sum;
    // A branch goes straight behind the instruction, another straight to it.
    __asm__ volatile("xor %%ecx, %%ecx\n jmp 2f\n1: rdtsc\n2: inc %%ecx\n cmp $3, %%ecx\n jb 1b\n mov %%rcx, %0"
                     : "=r"(sum)
                     :
                     : "rax", "rdx", "rcx", "cc");
    CHECK(sum == 3);
    unsigned long rcx = 0x5555, r11 = 0x6666;
    __asm__ volatile("mov %2, %%r11\n rdtsc\n nop\n mov %%r11, %1"
                     : "+c"(rcx), "=r"(sum)
                     : "r"(r11)
                     : "rax", "rdx", "r11");
    CHECK(rcx == 0x5555 && sum == 0x6666);
  }
  say("registers kept");
}
