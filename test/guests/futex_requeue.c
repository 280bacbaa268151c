// FUTEX_CMP_REQUEUE wakes one and moves the rest to another word
// link: -pthread
#include "guest.h"
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
static _Atomic uint32_t first, second, waiting, done;
static void* run(void* arg) {
  waiting++;
  syscall(SYS_futex, &first, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
  done++;
  return arg;
}
int main(void) {
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) ZERO(pthread_create(&threads[i], NULL, run, NULL));
  while (waiting < 4) sleep_ms(1);
  sleep_ms(10);
  FAILS(EAGAIN, syscall(SYS_futex, &first, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void*)10, &second, 5));
  long moved = OK(syscall(SYS_futex, &first, FUTEX_CMP_REQUEUE_PRIVATE, 1, (void*)10, &second, 0));
  say("woken and moved %ld", moved);
  while (done < 4) {
    long woken = OK(syscall(SYS_futex, &second, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0)) +
                 OK(syscall(SYS_futex, &first, FUTEX_WAKE_PRIVATE, 10, NULL, NULL, 0));
    if (woken) say("then woken %ld", woken);
    sleep_ms(1);
  }
  for (int i = 0; i < 4; i++) ZERO(pthread_join(threads[i], NULL));
}
