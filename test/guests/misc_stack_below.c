// Memory far below the stack pointer after system calls and signals: only the kernel may have written there
#include "guest.h"
static void handler(int signo) { (void)signo; }
__attribute__((noinline)) static void fill(void) {
  volatile uint64_t area[512];
  for (int i = 0; i < 512; i++) area[i] = 0x5a5a5a5a5a5a5a5a;
  (void)area[0];
}
__attribute__((noinline)) static unsigned long look(void) {
  uint64_t area[512];
  __asm__ volatile("" : : "r"(area) : "memory");
  unsigned long changed = 0, hash = 0;
  for (int i = 0; i < 512; i++)
    if (area[i] != 0x5a5a5a5a5a5a5a5a) changed++, hash = hash * 131 + area[i];
  return hash + changed;
}
int main(void) {
  on_signal(SIGUSR1, handler, 0);
  for (int i = 0; i < 3; i++) {
    fill();
    long ret;
    __asm__ volatile("syscall" : "=a"(ret) : "a"(SYS_getpid) : "rcx", "r11", "memory");
    unsigned long a = look();
    fill();
    raise(SIGUSR1);
    unsigned long b = look();
    fill();
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    say("below the stack: %lx %lx %lx", a, b, look());
  }
}
