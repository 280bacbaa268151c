// A guest with much memory, which it writes to at a rate, and which notices when it stands still.
//
//   bench-dirty MIB PERCENT SECONDS
//
// Fills MIB mebibytes with numbers, says "ready", then writes for SECONDS to so many random pages that PERCENT of all are written to in each
// second. Prints in the end, as JSON, how long the gaps were between two looks at the clock that were to be a millisecond apart.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { kPage = 4096, kGapsMax = 100000 };
static uint32_t gaps_us[kGapsMax];

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t state = 88172645463325252u;
static uint64_t random_number(void) {  // Marsaglia's xorshift64
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

int main(int argc, char** argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: bench-dirty MIB PERCENT SECONDS\n");
    return 2;
  }
  const uint64_t pages = strtoull(argv[1], NULL, 10) << 8;
  const double percent = strtod(argv[2], NULL), seconds = strtod(argv[3], NULL);
  uint64_t* memory = mmap(NULL, pages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) {
    perror("bench-dirty: mmap");
    return 1;
  }
  for (uint64_t i = 0; i < pages * kPage / 8; i++) memory[i] = random_number();
  printf("ready\n");
  fflush(stdout);
  const uint64_t begin = now_ns(), end = begin + (uint64_t)(seconds * 1e9);
  uint64_t written = 0, last = begin;
  unsigned count = 0;
  while (last < end) {
    const uint64_t due = (uint64_t)((double)(last - begin) / 1e9 * percent / 100 * (double)pages);
    // After a gap it does not make up for what it did not write: that would be another load.
    if (written + pages / 100 < due) written = due;
    for (; written < due; written++) memory[random_number() % pages * (kPage / 8)]++;
    usleep(1000);
    const uint64_t now = now_ns();
    if (count < kGapsMax) gaps_us[count++] = (uint32_t)((now - last) / 1000);
    last = now;
  }
  printf("{\"pages\": %lu, \"gapsUs\": [", (unsigned long)written);
  for (unsigned i = 0; i < count; i++) printf(i ? ",%u" : "%u", gaps_us[i]);
  printf("]}\n");
  return 0;
}
