// SysV semaphores: semop of several at once, semtimedop, SETALL, GETPID, SEM_UNDO
#include "guest.h"
#include <sys/sem.h>
union semun {
  int val;
  unsigned short* array;
};
int main(void) {
  int id = semget(IPC_PRIVATE, 3, 0600);
  if (id < 0) UNAVAILABLE("semget");
  unsigned short values[3] = {1, 0, 5};
  OK(semctl(id, 0, SETALL, (union semun){.array = values}));
  pid_t child = OK(fork());
  if (child == 0) {
    struct sembuf undo = {2, -4, SEM_UNDO}, post = {1, 2, 0};
    OK(semop(id, &undo, 1));
    sleep_ms(3);
    OK(semop(id, &post, 1));
    _exit(0);
  }
  struct sembuf both[2] = {{0, -1, 0}, {1, -2, 0}};
  OK(semop(id, both, 2));
  reap_ok(child);
  OK(semctl(id, 0, GETALL, (union semun){.array = values}));
  CHECK(values[0] == 0 && values[1] == 0 && values[2] == 5);
  struct sembuf take = {0, -1, 0}, now = {0, -1, IPC_NOWAIT};
  FAILS(EAGAIN, semop(id, &now, 1));
  FAILS(EAGAIN, semtimedop(id, &take, 1, &(struct timespec){0, 3000000}));
  int last = OK(semctl(id, 1, GETPID));
  OK(semctl(id, 0, IPC_RMID));
  FAILS(EINVAL, semop(id, &now, 1));
  say("last operation by %d", last);
}
