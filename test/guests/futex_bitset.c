// FUTEX_WAIT_BITSET with an absolute timeout, WAKE_BITSET picks waiters by bits
// link: -pthread
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
static _Atomic uint32_t word, waiting;
static _Atomic int woken[3];
static void* run(void* arg) {
  int me = (int)(intptr_t)arg;
  waiting++;
  while (syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, 0, NULL, NULL, 1u << me) < 0 && errno == EINTR) {}
  woken[me] = 1;
  return NULL;
}
int main(void) {
  int64_t until = clock_ns(CLOCK_MONOTONIC) + 5000000;
  struct timespec t = {until / 1000000000, until % 1000000000};
  FAILS(ETIMEDOUT, syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, &t, NULL, FUTEX_BITSET_MATCH_ANY));
  until = clock_ns(CLOCK_REALTIME) + 5000000;
  t = (struct timespec){until / 1000000000, until % 1000000000};
  FAILS(ETIMEDOUT,
        syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME, 0, &t, NULL, FUTEX_BITSET_MATCH_ANY));
  FAILS(EINVAL, syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, 0, NULL, NULL, 0));
  pthread_t threads[3];
  for (intptr_t i = 0; i < 3; i++) ZERO(pthread_create(&threads[i], NULL, run, (void*)i));
  while (waiting < 3) sleep_ms(1);
  sleep_ms(10);
  for (int i = 2; i >= 0; i--) {
    while (syscall(SYS_futex, &word, FUTEX_WAKE_BITSET_PRIVATE, 10, NULL, NULL, 1u << i) == 0) sleep_ms(1);
    ZERO(pthread_join(threads[i], NULL));
    CHECK(woken[i] == 1 && (i == 0 || woken[i - 1] == 0));
  }
  say("three picked by bit");
}
