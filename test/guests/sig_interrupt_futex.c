// A handler runs during a mutex wait and a condition wait, which then go on
// link: -pthread
#include "guest.h"
#include <pthread.h>
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static volatile sig_atomic_t handled;
static bool ready;
static void handler(int signo) { (void)signo, handled++; }
static void* wait_for_it(void* arg) {
  ZERO(pthread_mutex_lock(&mutex));
  while (!ready) ZERO(pthread_cond_wait(&cond, &mutex));
  ZERO(pthread_mutex_unlock(&mutex));
  return arg;
}
int main(void) {
  on_signal(SIGUSR1, handler, SA_RESTART);
  pthread_t thread;
  ZERO(pthread_mutex_lock(&mutex));
  ZERO(pthread_create(&thread, NULL, wait_for_it, NULL));
  for (int i = 0; i < 3; i++) {
    sleep_ms(2);
    ZERO(pthread_kill(thread, SIGUSR1));
  }
  ZERO(pthread_mutex_unlock(&mutex));
  for (int i = 0; i < 3; i++) {
    sleep_ms(2);
    ZERO(pthread_kill(thread, SIGUSR1));
  }
  ZERO(pthread_mutex_lock(&mutex));
  ready = true;
  ZERO(pthread_cond_signal(&cond));
  ZERO(pthread_mutex_unlock(&mutex));
  ZERO(pthread_join(thread, NULL));
  CHECK(handled >= 1);
  say("handled %d", (int)handled);
}
