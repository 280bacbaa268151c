// Five hundred short threads one after the other, four at a time: tids and stacks are used again
// link: -pthread
#include "guest.h"
#include <pthread.h>
static void* run(void* arg) { return (void*)((uintptr_t)arg + (uintptr_t)gettid() * 0); }
int main(void) {
  uintptr_t sum = 0;
  for (uintptr_t i = 0; i < 125; i++) {
    pthread_t threads[4];
    for (uintptr_t k = 0; k < 4; k++) ZERO(pthread_create(&threads[k], NULL, run, (void*)(i + k)));
    for (int k = 0; k < 4; k++) {
      void* result;
      ZERO(pthread_join(threads[k], &result));
      sum += (uintptr_t)result;
    }
  }
  CHECK(sum == 4 * (124 * 125 / 2) + 6 * 125);
  say("500 threads");
}
