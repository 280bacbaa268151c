// A named semaphore shared by parent and child
// link: -pthread
#include "guest.h"
#include <semaphore.h>
int main(void) {
  char name[64];
  snprintf(name, sizeof name, "/guest-sem-%d", (int)getpid());
  sem_t* sem = sem_open(name, O_CREAT | O_EXCL, 0600, 0);
  if (sem == SEM_FAILED) UNAVAILABLE("sem_open");
  pid_t child = OK(fork());
  if (child == 0) {
    sem_t* same = sem_open(name, 0);
    CHECK(same != SEM_FAILED);
    OK(sem_post(same));
    _exit(0);
  }
  OK(sem_wait(sem));
  reap_ok(child);
  OK(sem_close(sem));
  OK(sem_unlink(name));
  CHECK(sem_open(name, 0) == SEM_FAILED && errno == ENOENT);
  say("posted through %s", name);
}
