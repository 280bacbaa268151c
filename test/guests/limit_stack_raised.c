// A program that raises and lowers its stack limit, and recurses as deep as that allows
#include "guest.h"
#include <setjmp.h>
#include <sys/resource.h>
static sigjmp_buf back;
static int depth;
static void handler(int signo) { siglongjmp(back, signo); }
__attribute__((noinline)) static int descend(int levels, volatile char* above) {
  volatile char frame[4096];
  frame[0] = above[0];
  depth++;
  return levels ? descend(levels - 1, frame) + frame[0] : 0;
}
int main(void) {
  volatile char start[1] = {1};
  struct rlimit limit;
  OK(getrlimit(RLIMIT_STACK, &limit));
  if (limit.rlim_max < 40 << 20) UNAVAILABLE("a stack of 40 MB");
  limit.rlim_cur = 40 << 20;
  OK(setrlimit(RLIMIT_STACK, &limit));
  CHECK(descend(9000, start) == 9000);
  OK(sigaltstack(&(stack_t){.ss_sp = malloc(65536), .ss_size = 65536}, NULL));
  on_signal(SIGSEGV, handler, SA_ONSTACK);
  int signo = sigsetjmp(back, 1);
  if (signo == 0) depth = 0, descend(1 << 20, start);
  CHECK(signo == SIGSEGV);
  say("overflow at depth %d", depth);
}
