// PR_SET_TSC: rdtsc faults with SIGSEGV, and is allowed again
#include "guest.h"
#include <setjmp.h>
#include <sys/prctl.h>
#include <x86intrin.h>
static sigjmp_buf back;
static void handler(int signo) { siglongjmp(back, signo); }
int main(void) {
  on_signal(SIGSEGV, handler, 0);
  if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV) < 0) UNAVAILABLE("trapping rdtsc");
  int signo = sigsetjmp(back, 1);
  if (signo == 0) (void)(volatile unsigned long long){__rdtsc()};
  OK(prctl(PR_SET_TSC, PR_TSC_ENABLE));
  say("rdtsc trapped by %d, then %d", signo, __rdtsc() != 0);
}
