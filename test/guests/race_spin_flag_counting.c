// A thread counts in memory while it spins on a flag; the count is printed
// link: -pthread
#include "guest.h"
#include <pthread.h>
static volatile int flag;
static volatile unsigned long spins;
static void* run(void* arg) {
  while (!flag) spins++;
  return arg;
}
int main(void) {
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, run, NULL));
  sleep_ms(10);
  unsigned long seen = spins;
  flag = 1;
  ZERO(pthread_join(thread, NULL));
  say("saw %lu, ended at %lu", seen, spins);
}
