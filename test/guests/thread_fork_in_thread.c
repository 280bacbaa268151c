// A thread forks while others hold locks and run; atfork handlers run on both sides
// link: -pthread
#include "guest.h"
#include <pthread.h>
static int prepared, in_parent, in_child;
static volatile int stop;
static void prepare(void) { prepared++; }
static void parent(void) { in_parent++; }
static void child_side(void) { in_child++; }
static void* busy(void* arg) {
  while (!stop) free(malloc(100)), sched_yield();
  return arg;
}
static void* forker(void* arg) {
  for (int i = 0; i < 5; i++) {
    pid_t child = OK(fork());
    if (child == 0) {
      free(malloc(1000));
      _exit(in_child == 1 && gettid() == getpid() ? 0 : 1);
    }
    reap_ok(child);
    say("child %d of thread %d", (int)child, (int)gettid());
  }
  stop = 1;
  return arg;
}
int main(void) {
  ZERO(pthread_atfork(prepare, parent, child_side));
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) ZERO(pthread_create(&threads[i], NULL, i ? busy : forker, NULL));
  for (int i = 0; i < 3; i++) ZERO(pthread_join(threads[i], NULL));
  CHECK(prepared == 5 && in_parent == 5 && in_child == 0);
}
