// A robust mutex whose owner dies: EOWNERDEAD, made consistent; then ENOTRECOVERABLE
// link: -pthread
#include "guest.h"
#include <pthread.h>
int main(void) {
  pthread_mutex_t* mutex = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  pthread_mutexattr_t attr;
  ZERO(pthread_mutexattr_init(&attr));
  ZERO(pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST));
  ZERO(pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED));
  ZERO(pthread_mutex_init(mutex, &attr));
  for (int round = 0; round < 2; round++) {
    pid_t child = OK(fork());
    if (child == 0) {
      ZERO(pthread_mutex_lock(mutex));
      _exit(0);
    }
    reap_ok(child);
    CHECK(pthread_mutex_lock(mutex) == EOWNERDEAD);
    if (round == 0) ZERO(pthread_mutex_consistent(mutex));
    ZERO(pthread_mutex_unlock(mutex));
  }
  CHECK(pthread_mutex_lock(mutex) == ENOTRECOVERABLE);
  say("owner died twice");
}
