// A static executable with threads, fork and signals
// cflags: -static
// link: -pthread
#include "guest.h"
#include <pthread.h>
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static int sum;
static void handler(int signo) { sum += signo; }
static void* run(void* arg) {
  for (int i = 0; i < 500; i++) pthread_mutex_lock(&mutex), sum++, pthread_mutex_unlock(&mutex);
  return arg;
}
int main(void) {
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) ZERO(pthread_create(&threads[i], NULL, run, NULL));
  for (int i = 0; i < 3; i++) ZERO(pthread_join(threads[i], NULL));
  on_signal(SIGUSR1, handler, 0);
  OK(raise(SIGUSR1));
  pid_t child = OK(fork());
  if (child == 0) _exit(sum == 1500 + SIGUSR1 ? 0 : 1);
  reap_ok(child);
  say("static with threads, child %d", (int)child);
}
