// Threads end in an order that sleeping decides; each prints as it goes
// link: -pthread
#include "guest.h"
#include <pthread.h>
static void* run(void* arg) {
  sleep_ms(5 * (5 - (long)arg));
  say("end of %ld", (long)arg);
  return NULL;
}
int main(void) {
  pthread_t threads[5];
  for (long i = 0; i < 5; i++) ZERO(pthread_create(&threads[i], NULL, run, (void*)i));
  for (long i = 0; i < 5; i++) ZERO(pthread_join(threads[i], NULL));
}
