// Store buffering without fences: how often both threads read the old value is printed
// link: -pthread
#include "guest.h"
#include <pthread.h>
static volatile int x, y, a, b, go, done[2];
static void* run(void* arg) {
  int me = (int)(intptr_t)arg;
  for (int i = 1; i <= 200; i++) {
    while (go != i) sched_yield();
    if (me) x = 1, a = y;
    else y = 1, b = x;
    done[me] = i;
  }
  return NULL;
}
int main(void) {
  pthread_t threads[2];
  for (intptr_t i = 0; i < 2; i++) ZERO(pthread_create(&threads[i], NULL, run, (void*)i));
  int outcome[4] = {0};
  for (int i = 1; i <= 200; i++) {
    x = y = 0;
    __sync_synchronize();
    go = i;
    while (done[0] != i || done[1] != i) sched_yield();
    outcome[a * 2 + b]++;
  }
  for (int i = 0; i < 2; i++) ZERO(pthread_join(threads[i], NULL));
  say("outcomes %d %d %d %d", outcome[0], outcome[1], outcome[2], outcome[3]);
}
