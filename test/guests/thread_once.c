// pthread_once from many threads runs its routine once; who ran it is printed
// link: -pthread
#include "guest.h"
#include <pthread.h>
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int runs;
static pid_t runner;
static void init(void) {
  runs++;
  runner = gettid();
  sleep_ms(2);
}
static void* run(void* arg) {
  ZERO(pthread_once(&once, init));
  CHECK(runs == 1);
  return arg;
}
int main(void) {
  pthread_t threads[8];
  for (int i = 0; i < 8; i++) ZERO(pthread_create(&threads[i], NULL, run, NULL));
  for (int i = 0; i < 8; i++) ZERO(pthread_join(threads[i], NULL));
  say("run by %d", (int)runner);
}
