// Work is done until a deadline on the clock: how much was done is printed
#include "guest.h"
int main(void) {
  int64_t until = clock_ns(CLOCK_MONOTONIC) + 20000000;
  unsigned long rounds = 0, hash = 1;
  while (clock_ns(CLOCK_MONOTONIC) < until) {
    for (int i = 0; i < 100; i++) hash = hash * 6364136223846793005u + 1442695040888963407u;
    rounds++;
  }
  say("%lu rounds, %lx", rounds, hash);
}
