// Unsynchronised read-yield-write in threads loses many updates
// link: -pthread
#include "guest.h"
#include <pthread.h>
static volatile long counter;
static void* run(void* arg) {
  for (int i = 0; i < 1000; i++) {
    long seen = counter;
    if (i % 3 == (int)(intptr_t)arg) sched_yield();
    counter = seen + 1;
  }
  return NULL;
}
int main(void) {
  pthread_t threads[3];
  for (intptr_t i = 0; i < 3; i++) ZERO(pthread_create(&threads[i], NULL, run, (void*)i));
  for (int i = 0; i < 3; i++) ZERO(pthread_join(threads[i], NULL));
  say("counter %ld of 3000", counter);
}
