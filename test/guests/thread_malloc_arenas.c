// Threads allocate and free at random sizes, some in one another's arenas
// link: -pthread
#include "guest.h"
#include <malloc.h>
#include <pthread.h>
static void* slots[64];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static void* run(void* arg) {
  unsigned state = (unsigned)(uintptr_t)arg * 7919 + 1;
  for (int i = 0; i < 1500; i++) {
    state = state * 1103515245 + 12345;
    size_t size = (state >> 8) % 5000, slot = (state >> 3) % 64;
    char* fresh = malloc(size + 1);
    CHECK(fresh != NULL);
    fresh[size] = (char)i;
    ZERO(pthread_mutex_lock(&mutex));
    void* old = slots[slot];
    slots[slot] = fresh;
    ZERO(pthread_mutex_unlock(&mutex));
    free(old);
  }
  return arg;
}
int main(void) {
  pthread_t threads[4];
  for (uintptr_t i = 0; i < 4; i++) ZERO(pthread_create(&threads[i], NULL, run, (void*)i));
  for (int i = 0; i < 4; i++) ZERO(pthread_join(threads[i], NULL));
  for (int i = 0; i < 64; i += 8) say("slot %d at %p", i, slots[i]);
  for (int i = 0; i < 64; i++) free(slots[i]);
}
