// pthread_kill and tgkill reach the thread that they name
// link: -pthread
#include "guest.h"
#include <pthread.h>
static __thread int mine;
static volatile sig_atomic_t handled_by[4];
static pthread_barrier_t barrier;
static void handler(int signo) { (void)signo, handled_by[mine]++; }
static void* run(void* arg) {
  mine = (int)(intptr_t)arg;
  pthread_barrier_wait(&barrier);
  while (handled_by[mine] < 2) sched_yield();
  return (void*)(intptr_t)gettid();
}
int main(void) {
  on_signal(SIGUSR1, handler, 0);
  ZERO(pthread_barrier_init(&barrier, NULL, 4));
  pthread_t threads[4];
  for (int i = 1; i < 4; i++) ZERO(pthread_create(&threads[i], NULL, run, (void*)(intptr_t)i));
  pthread_barrier_wait(&barrier);
  for (int i = 1; i < 4; i++) {
    ZERO(pthread_kill(threads[i], SIGUSR1));
    while (handled_by[i] < 1) sleep_ms(1);
    ZERO(pthread_kill(threads[i], SIGUSR1));
  }
  for (int i = 1; i < 4; i++) {
    void* tid;
    ZERO(pthread_join(threads[i], &tid));
    say("thread %d was %d", i, (int)(intptr_t)tid);
  }
  OK((int)syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1));
  CHECK(handled_by[0] == 1);
  FAILS(ESRCH, syscall(SYS_tgkill, getpid(), 1, SIGUSR1));
}
