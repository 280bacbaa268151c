// Unsynchronised counter in four threads: the lost updates are printed
// link: -pthread
#include "guest.h"
#include <pthread.h>
static volatile long counter;
static void* run(void* arg) {
  for (int i = 0; i < 200000; i++) counter++;
  return arg;
}
int main(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) ZERO(pthread_create(&threads[i], NULL, run, NULL));
  for (int i = 0; i < 4; i++) ZERO(pthread_join(threads[i], NULL));
  say("counter %ld of 800000", counter);
}
