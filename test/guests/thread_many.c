// A hundred threads alive at once
// link: -pthread
#include "guest.h"
#include <pthread.h>
#include <stdatomic.h>
static atomic_int alive;
static pthread_barrier_t barrier;
static void* run(void* arg) {
  alive++;
  pthread_barrier_wait(&barrier);
  CHECK(alive == 100);
  return arg;
}
int main(void) {
  pthread_attr_t attr;
  ZERO(pthread_attr_init(&attr));
  ZERO(pthread_attr_setstacksize(&attr, 65536));
  ZERO(pthread_barrier_init(&barrier, NULL, 101));
  pthread_t threads[100];
  for (int i = 0; i < 100; i++) ZERO(pthread_create(&threads[i], &attr, run, NULL));
  pthread_barrier_wait(&barrier);
  for (int i = 0; i < 100; i++) ZERO(pthread_join(threads[i], NULL));
  say("%d threads", (int)alive);
}
