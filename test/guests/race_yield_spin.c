// Threads spin with sched_yield on one another's progress
// link: -pthread
#include "guest.h"
#include <pthread.h>
static volatile int progress[3];
static unsigned long yields[3];
static void* run(void* arg) {
  int me = (int)(intptr_t)arg;
  for (int i = 1; i <= 100; i++) {
    while (me > 0 && progress[me - 1] < i) sched_yield(), yields[me]++;
    progress[me] = i;
  }
  return NULL;
}
int main(void) {
  pthread_t threads[3];
  for (intptr_t i = 2; i >= 0; i--) ZERO(pthread_create(&threads[i], NULL, run, (void*)i));
  for (int i = 0; i < 3; i++) ZERO(pthread_join(threads[i], NULL));
  say("yields %lu %lu %lu", yields[0], yields[1], yields[2]);
}
