// FUTEX_LOCK_PI, TRYLOCK_PI, UNLOCK_PI by hand; the kernel writes the owner into the word
// link: -pthread
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
static _Atomic uint32_t word;
static int shared;
static long futex(int op) { return syscall(SYS_futex, &word, op, 0, NULL, NULL, 0); }
static void lock(void) {
  uint32_t expected = 0;
  if (!atomic_compare_exchange_strong(&word, &expected, (uint32_t)gettid())) OK(futex(FUTEX_LOCK_PI_PRIVATE));
}
static void unlock(void) {
  uint32_t expected = (uint32_t)gettid();
  if (!atomic_compare_exchange_strong(&word, &expected, 0)) OK(futex(FUTEX_UNLOCK_PI_PRIVATE));
}
static void* run(void* arg) {
  for (int i = 0; i < 20; i++) {
    lock();
    int seen = shared;
    if (i % 4 == 0) sleep_ms(1);
    shared = seen + 1;
    unlock();
  }
  return arg;
}
int main(void) {
  OK(futex(FUTEX_LOCK_PI_PRIVATE));
  CHECK((word & FUTEX_TID_MASK) == (uint32_t)gettid());
  say("owner word %#x", word);
  FAILS(EDEADLK, futex(FUTEX_LOCK_PI_PRIVATE));
  OK(futex(FUTEX_UNLOCK_PI_PRIVATE));
  FAILS(EPERM, futex(FUTEX_UNLOCK_PI_PRIVATE));
  OK(futex(FUTEX_TRYLOCK_PI_PRIVATE));
  OK(futex(FUTEX_UNLOCK_PI_PRIVATE));
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) ZERO(pthread_create(&threads[i], NULL, run, NULL));
  for (int i = 0; i < 3; i++) ZERO(pthread_join(threads[i], NULL));
  CHECK(shared == 60 && word == 0);
}
