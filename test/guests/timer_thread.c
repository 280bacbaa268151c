// timer_create with SIGEV_THREAD: glibc's helper thread starts a thread per expiry
// link: -pthread
#include "guest.h"
#include <pthread.h>
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static int ticks;
static void notify(union sigval value) {
  pthread_mutex_lock(&mutex);
  ticks += value.sival_int;
  say("tick in thread %d", (int)gettid());
  pthread_cond_signal(&cond);
  pthread_mutex_unlock(&mutex);
}
int main(void) {
  timer_t timer;
  struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_value.sival_int = 1};
  event.sigev_notify_function = notify;
  OK(timer_create(CLOCK_REALTIME, &event, &timer));
  OK(timer_settime(timer, 0, &(struct itimerspec){{0, 10000000}, {0, 10000000}}, NULL));
  ZERO(pthread_mutex_lock(&mutex));
  while (ticks < 3) ZERO(pthread_cond_wait(&cond, &mutex));
  ZERO(pthread_mutex_unlock(&mutex));
  OK(timer_delete(timer));
}
