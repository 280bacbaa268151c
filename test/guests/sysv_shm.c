// SysV shared memory: between parent and child, attach twice, IPC_STAT, removal
#include "guest.h"
#include <sys/shm.h>
int main(void) {
  int id = shmget(IPC_PRIVATE, 10000, IPC_CREAT | 0600);
  if (id < 0) UNAVAILABLE("shmget");
  char *a = shmat(id, NULL, 0), *b = shmat(id, NULL, SHM_RDONLY);
  CHECK(a != (void*)-1 && b != (void*)-1 && a != b);
  OK(shmctl(id, IPC_RMID, NULL));
  strcpy(a, "parent");
  CHECK(strcmp(b, "parent") == 0);
  pid_t child = OK(fork());
  if (child == 0) {
    strcpy(a + 100, "child");
    OK(shmdt(b));
    _exit(0);
  }
  reap_ok(child);
  CHECK(strcmp(b + 100, "child") == 0);
  struct shmid_ds info;
  OK(shmctl(id, IPC_STAT, &info));
  CHECK(info.shm_segsz == 10000 && info.shm_nattch == 2);
  say("segment %d at %p, last by %d", id, (void*)a, (int)info.shm_lpid);
  OK(shmdt(a));
  OK(shmdt(b));
  FAILS(EINVAL, shmdt(b));
}
