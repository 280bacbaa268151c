// A fault in a second thread kills the whole process
// link: -pthread
// expect-signal: 11
#include "guest.h"
#include <pthread.h>
static void* run(void* arg) {
  say("thread %d faults", (int)gettid());
  *(volatile int*)arg = 1;
  return NULL;
}
int main(void) {
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, run, NULL));
  ZERO(pthread_join(thread, NULL));
  return 1;
}
