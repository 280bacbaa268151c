// Four threads increment under a mutex; every kind of mutex
// link: -pthread
#include "guest.h"
#include <pthread.h>
static pthread_mutex_t mutex;
static long counter;
static void* run(void* arg) {
  for (int i = 0; i < 2000; i++) {
    ZERO(pthread_mutex_lock(&mutex));
    counter++;
    ZERO(pthread_mutex_unlock(&mutex));
  }
  return arg;
}
int main(void) {
  static const int kinds[] = {PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ERRORCHECK, PTHREAD_MUTEX_RECURSIVE,
                              PTHREAD_MUTEX_ADAPTIVE_NP};
  for (int k = 0; k < 4; k++) {
    pthread_mutexattr_t attr;
    ZERO(pthread_mutexattr_init(&attr));
    ZERO(pthread_mutexattr_settype(&attr, kinds[k]));
    ZERO(pthread_mutex_init(&mutex, &attr));
    counter = 0;
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) ZERO(pthread_create(&threads[i], NULL, run, NULL));
    for (int i = 0; i < 4; i++) ZERO(pthread_join(threads[i], NULL));
    CHECK(counter == 8000);
    ZERO(pthread_mutex_destroy(&mutex));
  }
  say("4 kinds, 8000 each");
}
