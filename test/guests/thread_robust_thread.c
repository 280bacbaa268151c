// A thread exits holding a robust mutex; the next thread inherits it
// link: -pthread
#include "guest.h"
#include <pthread.h>
static pthread_mutex_t mutex;
static void* run(void* arg) {
  ZERO(pthread_mutex_lock(&mutex));
  return arg;
}
int main(void) {
  pthread_mutexattr_t attr;
  ZERO(pthread_mutexattr_init(&attr));
  ZERO(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
  ZERO(pthread_mutex_init(&mutex, &attr));
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, run, NULL));
  sleep_ms(3);
  int result = pthread_mutex_lock(&mutex);
  CHECK(result == EOWNERDEAD);
  ZERO(pthread_join(thread, NULL));
  ZERO(pthread_mutex_consistent(&mutex));
  ZERO(pthread_mutex_unlock(&mutex));
  say("inherited");
}
