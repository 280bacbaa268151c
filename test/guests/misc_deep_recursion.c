// A recursive function with calls to the kernel at every level
#include "guest.h"
__attribute__((noinline)) static long deep(int n) {
  volatile long frame[30] = {n};
  if (n == 0) return getpid();
  long result = deep(n - 1) + (n % 100 == 0 ? gettid() : 0);
  return result + frame[0];
}
int main(void) { say("sum %ld", deep(10000)); }
