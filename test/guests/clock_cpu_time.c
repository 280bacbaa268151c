// CPU clocks of the process, the thread, another thread and another process; clock()
// link: -pthread
#include "guest.h"
#include <pthread.h>
static void* burn(void* arg) {
  for (volatile int i = 0; i < 2000000; i++) {}
  struct timespec t;
  OK(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t));
  say("thread used %ld ns", t.tv_nsec);
  sleep_ms(20);
  return arg;
}
int main(void) {
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, burn, NULL));
  sleep_ms(8);
  clockid_t id;
  ZERO(pthread_getcpuclockid(thread, &id));
  say("seen from outside: %ld ns", (long)clock_ns(id));
  ZERO(clock_getcpuclockid(getppid(), &id));
  say("the parent: %ld ns", (long)clock_ns(id));
  ZERO(pthread_join(thread, NULL));
  say("process %ld ns, clock() %ld", (long)clock_ns(CLOCK_PROCESS_CPUTIME_ID), (long)clock());
}
