// rdpid and getcpu's lsl name the processor, where there is rdpid
#include "guest.h"
#include <cpuid.h>
int main(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(c & bit_RDPID)) UNAVAILABLE("rdpid");
  unsigned long id;
  __asm__ volatile("rdpid %0" : "=r"(id));
  say("rdpid %lx, sched_getcpu %d", id, sched_getcpu());
}
