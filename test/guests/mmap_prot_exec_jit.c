// A JIT: code is written, made executable, run, changed, run again; it makes system calls itself
#include "guest.h"
typedef long (*routine)(void);
int main(void) {
  unsigned char* code = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  static const unsigned char template[] = {0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0x48, 0x05, 0, 0, 0, 0, 0xc3};  // getpid + n
  for (int n = 0; n < 20; n++) {
    OK(mprotect(code, 4096, PROT_READ | PROT_WRITE));
    memcpy(code + n * 16, template, sizeof template);
    code[n * 16 + 9] = (unsigned char)n;
    OK(mprotect(code, 4096, PROT_READ | PROT_EXEC));
    long got = ((routine)(uintptr_t)(code + n * 16))();
    CHECK(got == getpid() + n);
  }
  say("20 routines in generated code, pid %d", (int)getpid());
}
