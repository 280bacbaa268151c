// A thread with a stack of 64 MB, deeply used; one with a caller's own stack
// link: -pthread
#include "guest.h"
#include <pthread.h>
__attribute__((noinline)) static long deep(long n) {
  volatile char frame[1024];
  frame[0] = (char)n;
  return n == 0 ? 0 : 1 + deep(n - 1) + (frame[0] - (char)n);
}
static void* run(void* arg) { return (void*)deep((long)arg); }
int main(void) {
  pthread_attr_t attr;
  pthread_t thread;
  void* result;
  ZERO(pthread_attr_init(&attr));
  ZERO(pthread_attr_setstacksize(&attr, 64 << 20));
  ZERO(pthread_create(&thread, &attr, run, (void*)20000));
  ZERO(pthread_join(thread, &result));
  CHECK((long)result == 20000);
  void* own = OK(mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ZERO(pthread_attr_setstack(&attr, own, 1 << 20));
  ZERO(pthread_create(&thread, &attr, run, (void*)500));
  ZERO(pthread_join(thread, &result));
  CHECK((long)result == 500);
  OK(munmap(own, 1 << 20));
  say("stack was at %p", own);
}
