// The main stack grows by several MB under deep recursion
#include "guest.h"
__attribute__((noinline)) static unsigned long deep(int n) {
  volatile unsigned char frame[2000];
  for (int i = 0; i < 2000; i += 500) frame[i] = (unsigned char)n;
  return n == 0 ? frame[0] : deep(n - 1) + frame[500];
}
int main(void) {
  unsigned long sum = deep(3000);
  int here;
  say("sum %lu, stack near %p", sum, (void*)&here);
  volatile char* big = __builtin_alloca(4 << 20);
  for (int i = 0; i < 4 << 20; i += 4096) big[i] = 1;
  say("alloca of 4 MB: %d", big[0] + big[4096]);
}
