// Scheduling parameters of threads: getschedparam, setschedprio, attributes; refusals tolerated
// link: -pthread
#include "guest.h"
#include <pthread.h>
static void* run(void* arg) {
  int policy;
  struct sched_param param;
  ZERO(pthread_getschedparam(pthread_self(), &policy, &param));
  say("policy %d priority %d", policy, param.sched_priority);
  return arg;
}
int main(void) {
  pthread_t thread;
  pthread_attr_t attr;
  ZERO(pthread_attr_init(&attr));
  struct sched_param first = {.sched_priority = 1};
  ZERO(pthread_attr_setschedpolicy(&attr, SCHED_FIFO));
  ZERO(pthread_attr_setschedparam(&attr, &first));
  ZERO(pthread_attr_setinheritsched(&attr, PTHREAD_EXPLICIT_SCHED));
  int result = pthread_create(&thread, &attr, run, NULL);
  say("create with SCHED_FIFO: %d", result);
  if (result == 0) ZERO(pthread_join(thread, NULL));
  struct sched_param param = {.sched_priority = 1};
  say("set SCHED_RR: %d", pthread_setschedparam(pthread_self(), SCHED_RR, &param));
  param.sched_priority = 0;
  ZERO(pthread_setschedparam(pthread_self(), SCHED_OTHER, &param));
  run(NULL);
}
