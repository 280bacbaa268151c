// setjmp and longjmp through deep frames, with system calls between, volatile locals kept
#include "guest.h"
#include <setjmp.h>
static jmp_buf back;
__attribute__((noinline)) static void descend(int n) {
  if (getppid() < 0 || n == 0) longjmp(back, 5);
  if (n > 0) descend(n - 1);
  __asm__ volatile("" : : : "memory");
}
int main(void) {
  volatile int rounds = 0;
  int value = setjmp(back);
  CHECK(value == (rounds ? 5 : 0));
  if (rounds++ < 20) descend(100);
  CHECK(rounds == 21);
  if (_setjmp(back) == 0) longjmp(back, 0);
  say("jumped %d times, buffer at %p", rounds, (void*)&back);
}
