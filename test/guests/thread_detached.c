// Detached threads, by attribute and by pthread_detach, run to their end on their own
// link: -pthread
#include "guest.h"
#include <pthread.h>
#include <stdatomic.h>
static atomic_int done;
static void* run(void* arg) {
  say("detached %d is %d", (int)(intptr_t)arg, (int)gettid());
  done++;
  return NULL;
}
int main(void) {
  pthread_attr_t attr;
  ZERO(pthread_attr_init(&attr));
  ZERO(pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED));
  pthread_t thread;
  for (int i = 0; i < 4; i++) ZERO(pthread_create(&thread, &attr, run, (void*)(intptr_t)i));
  for (int i = 4; i < 8; i++) {
    ZERO(pthread_create(&thread, NULL, run, (void*)(intptr_t)i));
    ZERO(pthread_detach(thread));
  }
  while (done < 8) sleep_ms(1);
}
