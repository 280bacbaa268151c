// Cancellation: deferred in a blocking read, at pthread_testcancel, asynchronous in a loop; cleanup handlers run
// link: -pthread
#include "guest.h"
#include <pthread.h>
static int fds[2];
static volatile int cleaned, started;
static void cleanup(void* arg) { cleaned += (int)(intptr_t)arg; }
static void* reading(void* arg) {
  char c;
  pthread_cleanup_push(cleanup, (void*)1);
  started = 1;
  (void)!read(fds[0], &c, 1);
  pthread_cleanup_pop(0);
  return arg;
}
static void* testing(void* arg) {
  pthread_cleanup_push(cleanup, (void*)10);
  started = 1;
  for (;;) pthread_testcancel(), sched_yield();
  pthread_cleanup_pop(0);
  return arg;
}
static void* spinning(void* arg) {
  ZERO(pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL));
  pthread_cleanup_push(cleanup, (void*)100);
  started = 1;
  for (volatile unsigned long i = 0;; i++) {}
  pthread_cleanup_pop(0);
  return arg;
}
static void* disabled(void* arg) {
  int old;
  ZERO(pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old));
  started = 1;
  sleep_ms(10);
  return arg;
}
int main(void) {
  OK(pipe(fds));
  void* (*const all[])(void*) = {reading, testing, spinning, disabled};
  for (int i = 0; i < 4; i++) {
    pthread_t thread;
    void* result;
    started = 0;
    ZERO(pthread_create(&thread, NULL, all[i], NULL));
    while (!started) sleep_ms(1);
    ZERO(pthread_cancel(thread));
    ZERO(pthread_join(thread, &result));
    CHECK((result == PTHREAD_CANCELED) == (i < 3));
  }
  CHECK(cleaned == 111);
  say("cancelled three, not the fourth");
}
