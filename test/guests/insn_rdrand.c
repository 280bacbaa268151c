// rdrand and rdseed in three widths, where the processor has them
#include "guest.h"
#include <cpuid.h>
int main(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_RDRND)) UNAVAILABLE("rdrand");
  unsigned long wide = 0;
  unsigned narrow = 0;
  unsigned short small = 0;
  unsigned char ok1, ok2, ok3;
  __asm__ volatile("rdrand %0\n setc %1" : "=r"(wide), "=qm"(ok1) : : "cc");
  __asm__ volatile("rdrand %0\n setc %1" : "=r"(narrow), "=qm"(ok2) : : "cc");
  __asm__ volatile("rdrand %0\n setc %1" : "=r"(small), "=qm"(ok3) : : "cc");
  say("rdrand %d %lx %d %x %d %x", ok1, wide, ok2, narrow, ok3, small);
  unsigned long r9 = 0;
  __asm__ volatile("xor %%r9, %%r9\n rdrand %%r9\n mov %%r9, %0" : "=r"(r9) : : "r9", "cc");
  say("into r9: %lx", r9);
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_RDSEED)) {
    __asm__ volatile("rdseed %0\n setc %1" : "=r"(wide), "=qm"(ok1) : : "cc");
    say("rdseed %d %lx", ok1, wide);
  }
}
