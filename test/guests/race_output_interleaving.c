// Threads and processes write to standard output without any order
// link: -pthread
#include "guest.h"
#include <pthread.h>
static void* run(void* arg) {
  for (int i = 0; i < 20; i++) say("%s %d", (const char*)arg, i);
  return NULL;
}
int main(void) {
  pid_t child = OK(fork());
  pthread_t threads[2];
  ZERO(pthread_create(&threads[0], NULL, run, child ? "parent's first" : "child's first"));
  ZERO(pthread_create(&threads[1], NULL, run, child ? "parent's second" : "child's second"));
  for (int i = 0; i < 2; i++) ZERO(pthread_join(threads[i], NULL));
  if (child == 0) _exit(0);
  reap_ok(child);
}
