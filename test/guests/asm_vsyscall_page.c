// The old vsyscall page is called, or faults where it is off
#include "guest.h"
#include <setjmp.h>
static sigjmp_buf back;
static void handler(int signo) { siglongjmp(back, signo); }
int main(void) {
  on_signal(SIGSEGV, handler, 0);
  if (sigsetjmp(back, 1)) {
    say("no vsyscall page");
    return 0;
  }
  long (*volatile vsyscall_time)(long*) = (long (*)(long*))0xffffffffff600400;
  long now = vsyscall_time(NULL);
  CHECK(now >= time(NULL) - 2 && now <= time(NULL));
  say("vsyscall time %ld", now);
}
