// A system call preserves every register but rax, rcx, r11, the red zone, the flags, SSE and x87 state
#include "guest.h"
static unsigned long in[16] = {0x1001, 0x1002, 0x1003, 0x1004, 0x1005, 0x1006, 0x1007, 0x1008, 0x1009, 0x100a, 0x100b},
                     out[16];
static float xmm_in[16][4], xmm_out[16][4];
int main(void) {
  for (int i = 0; i < 16; i++)
    for (int k = 0; k < 4; k++) xmm_in[i][k] = (float)(i * 4 + k) + 0.5f;
  for (int round = 0; round < 50; round++) {
    unsigned long flags, rcx_is_rip;
    memset(out, 0, sizeof out);
    __asm__ volatile(
        "push %%rbx\n push %%rbp\n push %%r12\n push %%r13\n push %%r14\n push %%r15\n"
        "lea %[in], %%rax\n"
        "mov 0(%%rax), %%rbx\n mov 8(%%rax), %%rdx\n mov 16(%%rax), %%rsi\n mov 24(%%rax), %%rdi\n mov 32(%%rax), "
        "%%rbp\n mov 40(%%rax), %%r8\n"
        "mov 48(%%rax), %%r9\n mov 56(%%rax), %%r10\n mov 64(%%rax), %%r12\n mov 72(%%rax), %%r13\n mov 80(%%rax), "
        "%%r14\n"
        "movq $0x77, -8(%%rsp)\n movq $0x88, -128(%%rsp)\n"
        "mov $39, %%eax\n stc\n std\n syscall\n"
        "1: pushfq\n pop %%r15\n cld\n"
        "lea 1b(%%rip), %%rax\n xor %%rax, %%rcx\n"
        "lea %[out], %%rax\n"
        "mov %%rbx, 0(%%rax)\n mov %%rdx, 8(%%rax)\n mov %%rsi, 16(%%rax)\n mov %%rdi, 24(%%rax)\n mov %%rbp, "
        "32(%%rax)\n mov %%r8, 40(%%rax)\n"
        "mov %%r9, 48(%%rax)\n mov %%r10, 56(%%rax)\n mov %%r12, 64(%%rax)\n mov %%r13, 72(%%rax)\n mov %%r14, "
        "80(%%rax)\n mov %%r15, 88(%%rax)\n"
        "mov -128(%%rsp), %%r15\n mov %%r15, 96(%%rax)\n mov %%rcx, 104(%%rax)\n"
        "pop %%r15\n pop %%r14\n pop %%r13\n pop %%r12\n pop %%rbp\n pop %%rbx\n"
        : [out] "=m"(out)
        : [in] "m"(in)
        : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "memory", "cc");
    flags = out[11];
    rcx_is_rip = out[13];
    CHECK(memcmp(in, out, 11 * 8) == 0);
    CHECK((flags & 0x401) == 0x401 && out[12] == 0x88);
    if (round == 0) say("rcx %s the return address", rcx_is_rip == 0 ? "is" : "is not");
    __asm__ volatile(
        "movups 0(%0), %%xmm0\n movups 16(%0), %%xmm1\n movups 112(%0), %%xmm7\n movups 240(%0), %%xmm15\n"
        "mov $102, %%eax\n syscall\n"
        "movups %%xmm0, 0(%1)\n movups %%xmm1, 16(%1)\n movups %%xmm7, 112(%1)\n movups %%xmm15, 240(%1)\n"
        :
        : "r"(xmm_in), "r"(xmm_out)
        : "rax", "rcx", "r11", "memory", "xmm0", "xmm1", "xmm7", "xmm15");
    CHECK(memcmp(xmm_in[0], xmm_out[0], 32) == 0 && memcmp(xmm_in[7], xmm_out[7], 16) == 0 &&
          memcmp(xmm_in[15], xmm_out[15], 16) == 0);
  }
  say("state kept over 100 calls");
}
