// Unnamed semaphores: post, wait, trywait, timedwait, getvalue; in shared memory between processes too
// link: -pthread
#include "guest.h"
#include <semaphore.h>
int main(void) {
  sem_t* sems = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  OK(sem_init(&sems[0], 1, 0));
  OK(sem_init(&sems[1], 1, 2));
  FAILS(EAGAIN, sem_trywait(&sems[0]));
  struct timespec t;
  OK(clock_gettime(CLOCK_REALTIME, &t));
  FAILS(ETIMEDOUT, sem_timedwait(&sems[0], &t));
  pid_t child = OK(fork());
  if (child == 0) {
    for (int i = 0; i < 50; i++) OK(sem_wait(&sems[0])), OK(sem_post(&sems[1]));
    _exit(0);
  }
  for (int i = 0; i < 50; i++) OK(sem_post(&sems[0])), OK(sem_wait(&sems[1]));
  reap_ok(child);
  int value;
  OK(sem_getvalue(&sems[1], &value));
  CHECK(value == 2);
  say("100 hand-overs");
}
