// The process exits while threads compute and write: how far the output got is part of the recording
// link: -pthread
#include "guest.h"
#include <pthread.h>
static void* run(void* arg) {
  for (unsigned long i = 0;; i++)
    if (i % 200000 == 0) say("%s %lu", (const char*)arg, i);
  return NULL;
}
int main(void) {
  pthread_t thread;
  ZERO(pthread_create(&thread, NULL, run, "first"));
  ZERO(pthread_create(&thread, NULL, run, "second"));
  sleep_ms(20);
  say("leaving");
  _exit(0);
}
