// Mutex errors: EDEADLK, EPERM, EBUSY, timed lock ETIMEDOUT, recursion
// link: -pthread
#include "guest.h"
#include <pthread.h>
static pthread_mutex_t checked, recursive;
static void* other(void* arg) {
  CHECK(pthread_mutex_trylock(&checked) == EBUSY);
  CHECK(pthread_mutex_unlock(&checked) == EPERM);
  struct timespec t;
  OK(clock_gettime(CLOCK_REALTIME, &t));
  t.tv_nsec += 5000000;
  if (t.tv_nsec >= 1000000000) t.tv_nsec -= 1000000000, t.tv_sec++;
  CHECK(pthread_mutex_timedlock(&checked, &t) == ETIMEDOUT);
  OK(clock_gettime(CLOCK_MONOTONIC, &t));
  CHECK(pthread_mutex_clocklock(&checked, CLOCK_MONOTONIC, &t) == ETIMEDOUT);
  return arg;
}
int main(void) {
  pthread_mutexattr_t attr;
  ZERO(pthread_mutexattr_init(&attr));
  ZERO(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ERRORCHECK));
  ZERO(pthread_mutex_init(&checked, &attr));
  ZERO(pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE));
  ZERO(pthread_mutex_init(&recursive, &attr));
  ZERO(pthread_mutex_lock(&checked));
  CHECK(pthread_mutex_lock(&checked) == EDEADLK);
  for (int i = 0; i < 10; i++) ZERO(pthread_mutex_lock(&recursive));
  for (int i = 0; i < 10; i++) ZERO(pthread_mutex_unlock(&recursive));
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, other, NULL));
  ZERO(pthread_join(thread, NULL));
  say("errors as specified");
}
