// int3 of the program itself: SIGTRAP is the program's, and execution goes on behind it
#include "guest.h"
static volatile int count, code;
static void handler(int signo, siginfo_t* info, void* context) {
  (void)signo, (void)context, count++, code = info->si_code;
}
int main(void) {
  on_siginfo(SIGTRAP, handler, 0);
  for (int i = 0; i < 4; i++) __asm__ volatile("int3");
  CHECK(count == 4);
  say("4 traps, code %d", code);
}
