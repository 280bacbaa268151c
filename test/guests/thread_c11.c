// C11 threads: thrd, mtx, cnd, tss, call_once
// link: -pthread
#include "guest.h"
#include <threads.h>
static mtx_t mutex;
static cnd_t cond;
static tss_t slot;
static once_flag flag = ONCE_FLAG_INIT;
static int turn;
static void init(void) {
  mtx_init(&mutex, mtx_plain);
  cnd_init(&cond);
  tss_create(&slot, NULL);
}
static int run(void* arg) {
  call_once(&flag, init);
  int me = (int)(intptr_t)arg;
  tss_set(slot, arg);
  mtx_lock(&mutex);
  for (int i = 0; i < 5; i++) {
    while (turn % 3 != me) cnd_wait(&cond, &mutex);
    turn++;
    cnd_broadcast(&cond);
  }
  mtx_unlock(&mutex);
  return (int)(intptr_t)tss_get(slot) + 100;
}
int main(void) {
  thrd_t threads[3];
  for (intptr_t i = 0; i < 3; i++) CHECK(thrd_create(&threads[i], run, (void*)i) == thrd_success);
  for (int i = 0; i < 3; i++) {
    int result;
    CHECK(thrd_join(threads[i], &result) == thrd_success && result == i + 100);
  }
  CHECK(turn == 15);
  say("15 turns");
}
