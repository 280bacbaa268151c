// Priority-inheriting mutexes with contention between threads and between processes
// link: -pthread
#include "guest.h"
#include <pthread.h>
static pthread_mutex_t* mutex;
static long* counter;
static void* run(void* arg) {
  for (int i = 0; i < 200; i++) {
    ZERO(pthread_mutex_lock(mutex));
    long seen = *counter;
    if (i % 50 == 0) sched_yield();
    *counter = seen + 1;
    ZERO(pthread_mutex_unlock(mutex));
  }
  return arg;
}
int main(void) {
  mutex = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  counter = (long*)(mutex + 1);
  pthread_mutexattr_t attr;
  ZERO(pthread_mutexattr_init(&attr));
  ZERO(pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_INHERIT));
  ZERO(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED));
  ZERO(pthread_mutex_init(mutex, &attr));
  pid_t child = OK(fork());
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) ZERO(pthread_create(&threads[i], NULL, run, NULL));
  for (int i = 0; i < 3; i++) ZERO(pthread_join(threads[i], NULL));
  if (child == 0) _exit(0);
  reap_ok(child);
  CHECK(*counter == 1200);
  say("1200 under priority inheritance");
}
