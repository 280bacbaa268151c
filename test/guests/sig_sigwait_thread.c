// One thread takes all signals with sigwait, others compute
// link: -pthread
#include "guest.h"
#include <pthread.h>
static void* take(void* arg) {
  sigset_t* set = arg;
  int sum = 0;
  for (int i = 0; i < 5; i++) {
    int signo;
    ZERO(sigwait(set, &signo));
    say("took %d", signo);
    sum += signo;
  }
  return (void*)(intptr_t)sum;
}
int main(void) {
  sigset_t set;
  sigemptyset(&set);
  for (int i = 0; i < 5; i++) sigaddset(&set, SIGRTMIN + i);
  ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
  pthread_t taker;
  ZERO(pthread_create(&taker, NULL, take, &set));
  for (int i = 0; i < 5; i++) {
    OK(kill(getpid(), SIGRTMIN + i));
    sleep_ms(1);
  }
  void* sum;
  ZERO(pthread_join(taker, &sum));
  CHECK((int)(intptr_t)sum == 5 * SIGRTMIN + 10);
}
