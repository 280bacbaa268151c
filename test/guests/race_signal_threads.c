// Signals hit computing threads at any point; each handler records where its thread was
// link: -pthread
#include "guest.h"
#include <pthread.h>
static volatile int stop;
static __thread volatile unsigned long position;
static unsigned long seen[64];
static volatile int n;
static void handler(int signo) {
  (void)signo;
  int at = __sync_fetch_and_add(&n, 1);
  if (at < 64) seen[at] = position;
}
static void* run(void* arg) {
  while (!stop) position++;
  return arg;
}
int main(void) {
  on_signal(SIGUSR1, handler, SA_RESTART);
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) ZERO(pthread_create(&threads[i], NULL, run, NULL));
  for (int i = 0; i < 10; i++) {
    sleep_ms(1);
    ZERO(pthread_kill(threads[i % 2], SIGUSR1));
  }
  sleep_ms(2);
  stop = 1;
  for (int i = 0; i < 2; i++) ZERO(pthread_join(threads[i], NULL));
  for (int i = 0; i < n && i < 64; i++) say("%lu", seen[i]);
}
