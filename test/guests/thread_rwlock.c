// A read-write lock with readers that check consistency and a writer; timed and try variants
// link: -pthread
#include "guest.h"
#include <pthread.h>
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER;
static long a, b;
static void* reader(void* arg) {
  long changes = 0, last = -1;
  for (int i = 0; i < 1000; i++) {
    ZERO(pthread_rwlock_rdlock(&lock));
    CHECK(a == b);
    if (a != last) changes++, last = a;
    ZERO(pthread_rwlock_unlock(&lock));
  }
  say("reader saw %ld values", changes);
  return arg;
}
static void* writer(void* arg) {
  for (int i = 0; i < 1000; i++) {
    ZERO(pthread_rwlock_wrlock(&lock));
    a++, b++;
    ZERO(pthread_rwlock_unlock(&lock));
  }
  return arg;
}
int main(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) ZERO(pthread_create(&threads[i], NULL, i == 1 ? writer : reader, NULL));
  for (int i = 0; i < 4; i++) ZERO(pthread_join(threads[i], NULL));
  ZERO(pthread_rwlock_rdlock(&lock));
  ZERO(pthread_rwlock_tryrdlock(&lock));
  CHECK(pthread_rwlock_trywrlock(&lock) == EBUSY);
  struct timespec t;
  OK(clock_gettime(CLOCK_REALTIME, &t));
  int result = pthread_rwlock_timedwrlock(&lock, &t);
  CHECK(result == ETIMEDOUT || result == EDEADLK);
  CHECK(a == 1000);
}
