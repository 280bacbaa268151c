// A stack overflow is caught on the alternate stack and left by siglongjmp
#include "guest.h"
#include <setjmp.h>
#include <sys/resource.h>
static sigjmp_buf back;
static int depth;
static void handler(int signo) { siglongjmp(back, signo); }
__attribute__((noinline)) static int descend(volatile char* above) {
  volatile char frame[4096];
  frame[0] = above[0];
  if (++depth > 100000) return 0;
  return descend(frame) + frame[0];
}
int main(void) {
  struct rlimit small = {512 << 10, 512 << 10};
  OK(setrlimit(RLIMIT_STACK, &small));
  char* stack = malloc(65536);
  OK(sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = 65536}, NULL));
  on_signal(SIGSEGV, handler, SA_ONSTACK);
  volatile char start[1] = {0};
  int signo = sigsetjmp(back, 1);
  if (signo == 0) descend(start);
  CHECK(signo == SIGSEGV && depth > 50);
  say("overflow at depth %d", depth);
}
