// Raw futex: EAGAIN on a changed word, timeout, wake counts, between threads
// link: -pthread
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
static _Atomic uint32_t word, waiting;
static long futex(_Atomic uint32_t* address, int op, uint32_t value, const struct timespec* timeout) {
  return syscall(SYS_futex, address, op, value, timeout, NULL, 0);
}
static void* run(void* arg) {
  waiting++;
  while (word == 0) futex(&word, FUTEX_WAIT_PRIVATE, 0, NULL);
  return arg;
}
int main(void) {
  FAILS(EAGAIN, futex(&word, FUTEX_WAIT, 1, NULL));
  FAILS(ETIMEDOUT, futex(&word, FUTEX_WAIT, 0, &(struct timespec){0, 3000000}));
  FAILS(ETIMEDOUT, futex(&word, FUTEX_WAIT_PRIVATE, 0, &(struct timespec){0, 0}));
  FAILS(EFAULT, syscall(SYS_futex, (void*)16, FUTEX_WAIT, 0, NULL, NULL, 0));
  FAILS(ENOSYS, futex(&word, 99, 0, NULL));
  CHECK(futex(&word, FUTEX_WAKE, 1, NULL) == 0);
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) ZERO(pthread_create(&threads[i], NULL, run, NULL));
  while (waiting < 3) sleep_ms(1);
  sleep_ms(5);
  word = 1;
  long woken = OK(futex(&word, FUTEX_WAKE_PRIVATE, 100, NULL));
  for (int i = 0; i < 3; i++) ZERO(pthread_join(threads[i], NULL));
  say("woke %ld", woken);
}
