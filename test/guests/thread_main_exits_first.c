// The main thread ends with pthread_exit; the last thread decides the process' end
// link: -pthread
#include "guest.h"
#include <pthread.h>
static pthread_t main_thread;
static void* run(void* arg) {
  void* result;
  ZERO(pthread_join(main_thread, &result));
  CHECK(result == (void*)17);
  sleep_ms(5);
  say("main thread was joined");
  return arg;
}
int main(void) {
  pthread_t thread;
  main_thread = pthread_self();
  ZERO(pthread_create(&thread, NULL, run, NULL));
  pthread_exit((void*)17);
}
