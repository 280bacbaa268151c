// Protection keys, if the processor has them: a key forbids, the fault says SEGV_PKUERR
#include "guest.h"
#include <setjmp.h>
static sigjmp_buf back;
static void handler(int signo, siginfo_t* info, void* context) {
  (void)signo, (void)context;
  siglongjmp(back, info->si_code);
}
int main(void) {
  int key = pkey_alloc(0, 0);
  if (key < 0) UNAVAILABLE("protection keys");
  volatile char* a = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  a[0] = 5;
  OK(pkey_mprotect((void*)a, 4096, PROT_READ | PROT_WRITE, key));
  CHECK(a[0] == 5);
  OK(pkey_set(key, PKEY_DISABLE_ACCESS));
  on_siginfo(SIGSEGV, handler, 0);
  int code = sigsetjmp(back, 1);
  if (code == 0) say("not forbidden: %d", a[0]);
  OK(pkey_set(key, 0));
  say("key %d, code %d, value %d", key, code, a[0]);
  OK(pkey_free(key));
}
