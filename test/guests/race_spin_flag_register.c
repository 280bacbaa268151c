// A thread counts in a register while it spins; the count is its result
// link: -pthread
#include "guest.h"
#include <pthread.h>
static volatile int flag;
static void* run(void* arg) {
  unsigned long spins = (unsigned long)arg;
  while (!flag) spins++;
  return (void*)spins;
}
int main(void) {
  pthread_t thread;
  void* spins;
  ZERO(pthread_create(&thread, NULL, run, NULL));
  sleep_ms(10);
  flag = 1;
  ZERO(pthread_join(thread, &spins));
  say("spun %lu times", (unsigned long)spins);
}
