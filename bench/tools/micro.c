// One operation in a loop, timed in batches; prints the cheapest batch and the mean, in nanoseconds per operation.
// The cheapest batch is the cost with no interruption; the mean includes waiting for the pump when the ring is full, and so is
// the sustained cost.
//
//   bench-micro getppid|clock|tsc N
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <x86intrin.h>

enum { kBatch = 1000 };

static long long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static void one_getppid(void) { syscall(SYS_getppid); }
static void one_clock(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
}

// Volatile, since a counter whose value is not used would not be read.
static volatile unsigned long long counter;
static void one_tsc(void) { counter = __rdtsc(); }

int main(int argc, char** argv) {
  void (*one)(void) = NULL;
  if (argc == 3 && !strcmp(argv[1], "getppid")) one = one_getppid;
  if (argc == 3 && !strcmp(argv[1], "clock")) one = one_clock;
  if (argc == 3 && !strcmp(argv[1], "tsc")) one = one_tsc;
  long batches = argc == 3 ? atol(argv[2]) / kBatch : 0;
  if (!one || batches < 1) {
    fprintf(stderr, "usage: bench-micro getppid|clock|tsc N   (N at least %d)\n", kBatch);
    return 2;
  }
  long long best = -1, start = now_ns(), before = start;
  for (long b = 0; b < batches; b++) {
    for (int i = 0; i < kBatch; i++) one();
    long long after = now_ns();
    if (best < 0 || after - before < best) best = after - before;
    before = after;
  }
  printf("{\"bestNs\":%.3f,\"meanNs\":%.3f,\"operations\":%ld}\n", (double)best / kBatch,
         (double)(before - start) / ((double)batches * kBatch), batches * kBatch);
  return 0;
}
