// Threads with arguments and results, joined in another order than created
// link: -pthread
#include "guest.h"
#include <pthread.h>
static void* square(void* arg) {
  long n = (long)arg;
  return (void*)(n * n);
}
int main(void) {
  pthread_t threads[16];
  for (long i = 0; i < 16; i++) ZERO(pthread_create(&threads[i], NULL, square, (void*)i));
  for (long i = 15; i >= 0; i--) {
    void* result;
    ZERO(pthread_join(threads[i], &result));
    CHECK((long)result == i * i);
  }
  say("16 squares, thread handle %p", (void*)threads[0]);
}
