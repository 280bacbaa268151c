// Dekker's algorithm with fences: mutual exclusion by spinning, the order of entries printed
// link: -pthread
#include "guest.h"
#include <pthread.h>
#include <stdatomic.h>
static atomic_int wants[2], turn;
static long inside, entries[2];
static unsigned long order;
static void* run(void* arg) {
  int me = (int)(intptr_t)arg, other = 1 - me;
  for (int i = 0; i < 3000; i++) {
    wants[me] = 1;
    while (wants[other])
      if (turn == other) {
        wants[me] = 0;
        while (turn == other) {}
        wants[me] = 1;
      }
    CHECK(++inside == 1);
    entries[me]++;
    order = order * 3 + (unsigned long)me;
    inside--;
    turn = other;
    wants[me] = 0;
  }
  return NULL;
}
int main(void) {
  pthread_t threads[2];
  for (intptr_t i = 0; i < 2; i++) ZERO(pthread_create(&threads[i], NULL, run, (void*)i));
  for (int i = 0; i < 2; i++) ZERO(pthread_join(threads[i], NULL));
  CHECK(entries[0] + entries[1] == 6000);
  say("order %lx", order);
}
