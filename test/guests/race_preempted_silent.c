// A thread is interrupted while it computes, goes on, changes what others see, and then waits in a call: no event lies between
// its return from the interruption and the next thread's turn
// link: -pthread
#include "guest.h"
#include <pthread.h>
enum { ROUNDS = 25 };
static volatile unsigned changed, over;
static void* compute(void* arg) {
  for (unsigned round = 0; round < ROUNDS; round++) {
    unsigned x = round + (unsigned)(size_t)arg;
    // From shorter to longer than the patience of the others.
    for (unsigned i = 0; i < 300000 + round * 400000; i++) x = x * 1664525 + 1013904223 + (i ^ x >> 7);
    changed = x;
    sleep_ms(1);
  }
  over = 1;
  return NULL;
}
static void* look(void* arg) {
  while (!over) {
    say("%zu sees %08x", (size_t)arg, changed);
    sleep_ms(2 + (int)(size_t)arg);
  }
  return NULL;
}
int main(void) {
  pthread_t threads[4];
  for (size_t i = 0; i < 4; i++) ZERO(pthread_create(&threads[i], NULL, i < 1 ? compute : look, (void*)i));
  for (size_t i = 0; i < 4; i++) ZERO(pthread_join(threads[i], NULL));
  say("last %08x", changed);
}
