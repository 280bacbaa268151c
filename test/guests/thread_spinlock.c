// pthread spin locks under contention, with a yield-free critical section
// link: -pthread
#include "guest.h"
#include <pthread.h>
static pthread_spinlock_t lock;
static long counter;
static void* run(void* arg) {
  for (int i = 0; i < 5000; i++) {
    pthread_spin_lock(&lock);
    counter++;
    pthread_spin_unlock(&lock);
  }
  return arg;
}
int main(void) {
  ZERO(pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE));
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) ZERO(pthread_create(&threads[i], NULL, run, NULL));
  for (int i = 0; i < 3; i++) ZERO(pthread_join(threads[i], NULL));
  CHECK(counter == 15000);
  say("15000 under a spin lock");
}
