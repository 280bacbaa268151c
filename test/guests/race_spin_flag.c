// A thread spins on a flag without changing anything until another sets it
// link: -pthread
#include "guest.h"
#include <pthread.h>
static volatile int flag, answer;
static void* run(void* arg) {
  while (!flag) {}
  answer = 1;
  return arg;
}
int main(void) {
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, run, NULL));
  sleep_ms(10);
  flag = 1;
  while (!answer) {}
  ZERO(pthread_join(thread, NULL));
  say("answered");
}
