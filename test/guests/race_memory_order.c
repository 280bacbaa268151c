// Threads scribble into one array without order; its final contents are hashed
// link: -pthread
#include "guest.h"
#include <pthread.h>
static volatile uint32_t array[256];
static void* run(void* arg) {
  uint32_t state = (uint32_t)(uintptr_t)arg + 1;
  for (int i = 0; i < 50000; i++) {
    state = state * 1664525 + 1013904223;
    array[state >> 24] = array[(state >> 16) & 255] * 3 + state;
  }
  return NULL;
}
int main(void) {
  pthread_t threads[3];
  for (intptr_t i = 0; i < 3; i++) ZERO(pthread_create(&threads[i], NULL, run, (void*)i));
  for (int i = 0; i < 3; i++) ZERO(pthread_join(threads[i], NULL));
  uint64_t hash = 0;
  for (int i = 0; i < 256; i++) hash = hash * 1099511628211u + array[i];
  say("%016lx", (unsigned long)hash);
}
