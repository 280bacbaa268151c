// Computation on nondeterministic values: a hash over times, pids, addresses and random bytes
#include "guest.h"
#include <sys/random.h>
int main(void) {
  uint64_t hash = 14695981039346656037u;
  for (int i = 0; i < 200; i++) {
    uint64_t parts[4] = {(uint64_t)clock_ns(CLOCK_REALTIME), (uint64_t)(uintptr_t)malloc((size_t)i + 1),
                         (uint64_t)getpid(), 0};
    CHECK(getrandom(&parts[3], 8, 0) == 8);
    for (int k = 0; k < 4; k++) hash = (hash ^ parts[k]) * 1099511628211u;
  }
  say("%016lx", (unsigned long)hash);
}
