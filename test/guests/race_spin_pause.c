// Two threads hand a turn to each other by spinning with pause, eighty times
// link: -pthread
#include "guest.h"
#include <pthread.h>
#include <stdatomic.h>
static atomic_int turn;
static long order;
static void* run(void* arg) {
  int me = (int)(intptr_t)arg;
  for (int i = 0; i < 40; i++) {
    while (atomic_load_explicit(&turn, memory_order_acquire) != me) __builtin_ia32_pause();
    order = order * 3 + me;
    atomic_store_explicit(&turn, 1 - me, memory_order_release);
  }
  return NULL;
}
int main(void) {
  pthread_t threads[2];
  for (intptr_t i = 0; i < 2; i++) ZERO(pthread_create(&threads[i], NULL, run, (void*)i));
  for (int i = 0; i < 2; i++) ZERO(pthread_join(threads[i], NULL));
  say("order %lx", (unsigned long)order);
}
