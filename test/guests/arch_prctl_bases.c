// arch_prctl: FS base is read and moved, GS base is set and used; cpuid faulting asked
#include "guest.h"
#include <asm/prctl.h>
static unsigned long block[64] __attribute__((aligned(64)));
int main(void) {
  unsigned long fs = 0, gs = 1;
  OK((int)syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
  unsigned long self;
  __asm__("mov %%fs:0x10, %0" : "=r"(self));
  CHECK(fs == self);
  OK((int)syscall(SYS_arch_prctl, ARCH_GET_GS, &gs));
  block[3] = 0x1234;
  // A recorder may want the base for itself.
  if (syscall(SYS_arch_prctl, ARCH_SET_GS, block) < 0) UNAVAILABLE("setting the gs base");
  unsigned long value, read_back;
  __asm__ volatile("mov %%gs:24, %0" : "=r"(value));
  CHECK(value == 0x1234);
  for (int i = 0; i < 50; i++) getppid();
  __asm__ volatile("movq $77, %%gs:32\n mov %%gs:24, %0" : "=r"(value) : : "memory");
  OK((int)syscall(SYS_arch_prctl, ARCH_GET_GS, &read_back));
  CHECK(value == 0x1234 && block[4] == 77 && read_back == (unsigned long)block);
  OK((int)syscall(SYS_arch_prctl, ARCH_SET_GS, gs));
  say("fs %lx gs was %lx, cpuid %ld", fs, gs, syscall(SYS_arch_prctl, ARCH_GET_CPUID, 0));
  FAILS(EPERM, syscall(SYS_arch_prctl, ARCH_SET_FS, 0xffff800000000000ul));
}
