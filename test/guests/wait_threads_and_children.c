// Several threads fork and wait for their own children; one waits for any
// link: -pthread
#include "guest.h"
#include <pthread.h>
static void* run(void* arg) {
  for (int i = 0; i < 4; i++) {
    pid_t child = OK(fork());
    if (child == 0) _exit((int)(intptr_t)arg * 10 + i);
    int status = reap(child);
    CHECK(WEXITSTATUS(status) == (int)(intptr_t)arg * 10 + i);
    say("thread %d reaped %d", (int)(intptr_t)arg, (int)child);
  }
  return NULL;
}
int main(void) {
  pthread_t threads[3];
  for (intptr_t i = 0; i < 3; i++) ZERO(pthread_create(&threads[i], NULL, run, (void*)i));
  for (int i = 0; i < 3; i++) ZERO(pthread_join(threads[i], NULL));
}
