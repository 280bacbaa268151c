// Write tracking with mprotect: a SEGV handler makes pages writable one by one
#include "guest.h"
static char* area;
static volatile int faults[16], count;
static void handler(int signo, siginfo_t* info, void* context) {
  (void)signo, (void)context;
  long page = ((char*)info->si_addr - area) / 4096;
  if (page < 0 || page >= 16) _exit(3);
  faults[count++] = (int)page;
  if (mprotect(area + page * 4096, 4096, PROT_READ | PROT_WRITE) < 0) _exit(4);
}
int main(void) {
  area = OK(mmap(NULL, 16 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  on_siginfo(SIGSEGV, handler, 0);
  static const int order[] = {3, 1, 4, 1, 5, 9, 2, 6};
  for (int i = 0; i < 8; i++) ((volatile char*)area)[order[i] * 4096 + i] = 1;
  CHECK(count == 7 && faults[3] == 5);
  OK(mprotect(area, 16 * 4096, PROT_READ));
  for (int i = 0; i < 8; i++) ((volatile char*)area)[order[i] * 4096 + i] = 1;
  CHECK(count == 14);
  say("%d faults at %p", count, (void*)area);
}
