// Integer division by zero: SIGFPE with FPE_INTDIV, skipped by moving rip
#include "guest.h"
#include <ucontext.h>
static volatile int code;
static void handler(int signo, siginfo_t* info, void* context) {
  (void)signo;
  code = info->si_code;
  ((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP] += 2;  // idivl %ecx
}
int main(void) {
  on_siginfo(SIGFPE, handler, 0);
  for (int i = 0; i < 5; i++) {
    int quotient = 100 + i;
    __asm__ volatile("cltd\n idivl %%ecx" : "+a"(quotient) : "c"(0) : "rdx", "cc");
    CHECK(code == FPE_INTDIV && quotient == 100 + i);
  }
  say("division by zero skipped");
}
