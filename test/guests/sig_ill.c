// ud2: SIGILL with the address of the instruction
#include "guest.h"
#include <ucontext.h>
static volatile int count;
static void handler(int signo, siginfo_t* info, void* context) {
  greg_t* rip = &((ucontext_t*)context)->uc_mcontext.gregs[REG_RIP];
  if (signo == SIGILL && info->si_addr == (void*)*rip) count++;
  *rip += 2;
}
int main(void) {
  on_siginfo(SIGILL, handler, 0);
  for (int i = 0; i < 3; i++) __asm__ volatile("ud2");
  CHECK(count == 3);
  say("3 illegal instructions");
}
