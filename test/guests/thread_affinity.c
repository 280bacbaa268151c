// CPU affinity of threads is set and read
// link: -pthread
#include "guest.h"
#include <pthread.h>
#include <sched.h>
int main(void) {
  cpu_set_t all, one;
  ZERO(pthread_getaffinity_np(pthread_self(), sizeof all, &all));
  int count = CPU_COUNT(&all), first = 0;
  while (!CPU_ISSET(first, &all)) first++;
  CPU_ZERO(&one);
  CPU_SET(first, &one);
  ZERO(pthread_setaffinity_np(pthread_self(), sizeof one, &one));
  sched_yield();
  say("%d cpus, now on %d", count, sched_getcpu());
  ZERO(pthread_setaffinity_np(pthread_self(), sizeof all, &all));
}
