// A SEGV handler repairs the access by changing a register in the ucontext
#include "guest.h"
#include <ucontext.h>
static int safe = 77;
static void handler(int signo, siginfo_t* info, void* context) {
  (void)signo, (void)info;
  ((ucontext_t*)context)->uc_mcontext.gregs[REG_RAX] = (greg_t)&safe;
}
int main(void) {
  on_siginfo(SIGSEGV, handler, 0);
  int value;
  __asm__ volatile("xor %%eax, %%eax\n movl (%%rax), %0" : "=r"(value) : : "rax", "memory");
  CHECK(value == 77);
  say("register repaired: %d", value);
}
