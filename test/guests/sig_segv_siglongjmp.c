// A NULL dereference is recovered from with siglongjmp, over and over; si_addr is the address
#include "guest.h"
#include <setjmp.h>
static sigjmp_buf back;
static void* volatile address;
static void handler(int signo, siginfo_t* info, void* context) {
  (void)signo, (void)context;
  address = info->si_addr;
  siglongjmp(back, info->si_code);
}
int main(void) {
  on_siginfo(SIGSEGV, handler, 0);
  for (uintptr_t i = 0; i < 50; i++) {
    volatile int* bad = (volatile int*)(i * 64);
    int code = sigsetjmp(back, 1);
    if (code == 0) *bad = 1;
    CHECK(code == SEGV_MAPERR && address == (void*)bad);
  }
  static const int constant = 5;
  int code = sigsetjmp(back, 1);
  if (code == 0) *(volatile int*)(uintptr_t)&constant = 6;
  CHECK(code == SEGV_ACCERR);
  say("51 recoveries, read-only at %p", address);
}
