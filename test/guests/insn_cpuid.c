// cpuid: vendor, brand, the leaves that name the core, xgetbv
#include "guest.h"
#include <cpuid.h>
int main(void) {
  unsigned a, b, c, d, most = __get_cpuid_max(0, NULL);
  char vendor[13] = "", brand[49] = "";
  __cpuid(0, a, b, c, d);
  memcpy(vendor, &b, 4), memcpy(vendor + 4, &d, 4), memcpy(vendor + 8, &c, 4);
  for (unsigned i = 0; i < 3; i++) {
    __cpuid(0x80000002 + i, a, b, c, d);
    memcpy(brand + 16 * i, &a, 4), memcpy(brand + 16 * i + 4, &b, 4), memcpy(brand + 16 * i + 8, &c, 4),
        memcpy(brand + 16 * i + 12, &d, 4);
  }
  say("%s %s, leaves to %u", vendor, brand, most);
  for (int i = 0; i < 20; i++) {
    __cpuid(1, a, b, c, d);
    say("apic id %u", b >> 24);
    if (i % 5 == 0) sched_yield();
  }
  if (most >= 11) {
    __cpuid_count(11, 0, a, b, c, d);
    say("topology %x %x %x %x", a, b, c, d);
  }
  __cpuid(1, a, b, c, d);
  if (c & bit_OSXSAVE) {
    __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
    say("xcr0 %x", a);
  }
}
