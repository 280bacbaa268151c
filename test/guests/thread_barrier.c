// A barrier of five threads over twenty rounds; the serial thread of each round is printed
// link: -pthread
#include "guest.h"
#include <pthread.h>
static pthread_barrier_t barrier;
static int rounds[5];
static void* run(void* arg) {
  int me = (int)(intptr_t)arg;
  for (int round = 0; round < 20; round++) {
    rounds[me] = round;
    int result = pthread_barrier_wait(&barrier);
    CHECK(result == 0 || result == PTHREAD_BARRIER_SERIAL_THREAD);
    if (result) say("round %d: %d", round, me);
    for (int i = 0; i < 5; i++) CHECK(rounds[i] == round);
    pthread_barrier_wait(&barrier);
  }
  return NULL;
}
int main(void) {
  pthread_t threads[5];
  ZERO(pthread_barrier_init(&barrier, NULL, 5));
  for (int i = 0; i < 5; i++) ZERO(pthread_create(&threads[i], NULL, run, (void*)(intptr_t)i));
  for (int i = 0; i < 5; i++) ZERO(pthread_join(threads[i], NULL));
  ZERO(pthread_barrier_destroy(&barrier));
}
