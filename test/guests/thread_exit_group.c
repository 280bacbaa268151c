// exit from a second thread ends the process while others sleep, spin and wait
// link: -pthread
// expect-exit: 42
#include "guest.h"
#include <pthread.h>
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void* spin(void* arg) {
  for (volatile unsigned long i = 0;; i++) {}
  return arg;
}
static void* wait_mutex(void* arg) {
  pthread_mutex_lock(&mutex);
  return arg;
}
static void* sleep_long(void* arg) {
  sleep_ms(100000);
  return arg;
}
static void* finish(void* arg) {
  (void)arg;
  sleep_ms(20);
  say("ending it");
  exit(42);
}
int main(void) {
  pthread_t thread;
  pthread_mutex_lock(&mutex);
  ZERO(pthread_create(&thread, NULL, wait_mutex, NULL));
  ZERO(pthread_create(&thread, NULL, sleep_long, NULL));
  ZERO(pthread_create(&thread, NULL, spin, NULL));
  ZERO(pthread_create(&thread, NULL, finish, NULL));
  for (;;) pause();
}
