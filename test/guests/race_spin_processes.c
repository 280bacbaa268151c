// Two processes spin on flags in shared memory, with counters
#include "guest.h"
int main(void) {
  volatile unsigned long* shared = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  pid_t child = OK(fork());
  if (child == 0) {
    for (int i = 1; i <= 20; i++) {
      while (shared[0] != (unsigned long)i) shared[2]++;
      shared[1] = (unsigned long)i;
    }
    _exit(0);
  }
  for (int i = 1; i <= 20; i++) {
    shared[0] = (unsigned long)i;
    while (shared[1] != (unsigned long)i) shared[3]++;
  }
  reap_ok(child);
  say("child spun %lu, parent %lu", shared[2], shared[3]);
}
