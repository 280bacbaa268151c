// __thread variables, pthread keys with destructors, TLS addresses
// link: -pthread
#include "guest.h"
#include <pthread.h>
static __thread int variable = 5;
static __thread char big[10000];
static pthread_key_t key;
static int destroyed;
static void destroy(void* value) { destroyed += (int)(intptr_t)value; }
static void* run(void* arg) {
  CHECK(variable == 5 && big[9999] == 0);
  variable = (int)(intptr_t)arg;
  big[9999] = 1;
  ZERO(pthread_setspecific(key, arg));
  CHECK(pthread_getspecific(key) == arg);
  say("thread %d: variable at %p", variable, (void*)&variable);
  return NULL;
}
int main(void) {
  ZERO(pthread_key_create(&key, destroy));
  for (int i = 1; i <= 4; i++) {
    pthread_t thread;
    ZERO(pthread_create(&thread, NULL, run, (void*)(intptr_t)i));
    ZERO(pthread_join(thread, NULL));
  }
  CHECK(destroyed == 10 && variable == 5);
}
