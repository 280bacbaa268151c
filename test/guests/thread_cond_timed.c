// pthread_cond_timedwait times out on both clocks, and broadcast wakes all
// link: -pthread
#include "guest.h"
#include <pthread.h>
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond;
static int waiting, woken;
static bool go;
static void* run(void* arg) {
  ZERO(pthread_mutex_lock(&mutex));
  waiting++;
  while (!go) ZERO(pthread_cond_wait(&cond, &mutex));
  say("woken %d: thread %d", woken++, (int)(intptr_t)arg);
  ZERO(pthread_mutex_unlock(&mutex));
  return NULL;
}
int main(void) {
  static const clockid_t clocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC};
  for (int i = 0; i < 2; i++) {
    pthread_condattr_t attr;
    ZERO(pthread_condattr_init(&attr));
    ZERO(pthread_condattr_setclock(&attr, clocks[i]));
    ZERO(pthread_cond_init(&cond, &attr));
    int64_t until = clock_ns(clocks[i]) + 8000000;
    struct timespec t = {until / 1000000000, until % 1000000000};
    ZERO(pthread_mutex_lock(&mutex));
    int result = 0;
    while (result == 0) result = pthread_cond_timedwait(&cond, &mutex, &t);
    CHECK(result == ETIMEDOUT);
    ZERO(pthread_mutex_unlock(&mutex));
    say("timed out, late by %ld ns", (long)(clock_ns(clocks[i]) - until));
  }
  pthread_t threads[5];
  for (int i = 0; i < 5; i++) ZERO(pthread_create(&threads[i], NULL, run, (void*)(intptr_t)i));
  while (waiting < 5) sleep_ms(1);
  ZERO(pthread_mutex_lock(&mutex));
  go = true;
  ZERO(pthread_cond_broadcast(&cond));
  ZERO(pthread_mutex_unlock(&mutex));
  for (int i = 0; i < 5; i++) ZERO(pthread_join(threads[i], NULL));
}
