// A signal to the process lands in whichever thread has it unblocked
// link: -pthread
#include "guest.h"
#include <pthread.h>
static volatile pid_t landed;
static volatile int stop;
static void handler(int signo) { (void)signo, landed = gettid(); }
static void* run(void* arg) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
  while (!stop) sleep_ms(2);
  return arg;
}
int main(void) {
  on_signal(SIGUSR1, handler, 0);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  ZERO(pthread_sigmask(SIG_BLOCK, &set, NULL));
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) ZERO(pthread_create(&threads[i], NULL, run, NULL));
  sleep_ms(5);
  for (int i = 0; i < 5; i++) {
    landed = 0;
    OK(kill(getpid(), SIGUSR1));
    while (!landed) sleep_ms(1);
    CHECK(landed != getpid());
    say("landed in %d", (int)landed);
  }
  stop = 1;
  for (int i = 0; i < 3; i++) ZERO(pthread_join(threads[i], NULL));
}
