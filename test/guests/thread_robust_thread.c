// A thread exits holding a robust mutex; the next thread inherits it
// link: -pthread
#include "guest.h"
#include <pthread.h>
static pthread_mutex_t mutex;
static volatile int locked;
static void* run(void* arg) {
  ZERO(pthread_mutex_lock(&mutex));
  locked = 1;
  return arg;
}
int main(void) {
  pthread_mutexattr_t attr;
  ZERO(pthread_mutexattr_init(&attr));
  ZERO(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
  ZERO(pthread_mutex_init(&mutex, &attr));
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, run, NULL));
  while (!locked) sleep_ms(1);
  sleep_ms(3);
  int result = pthread_mutex_lock(&mutex);
  CHECK(result == EOWNERDEAD);
  ZERO(pthread_join(thread, NULL));
  ZERO(pthread_mutex_consistent(&mutex));
  ZERO(pthread_mutex_unlock(&mutex));
  say("inherited");
}
