// A SysV segment found again by key after exec
#include "guest.h"
#include <sys/shm.h>
int main(int argc, char** argv) {
  if (argc == 2) {
    int id = atoi(argv[1]);
    char* a = shmat(id, NULL, 0);
    CHECK(a != (void*)-1);
    say("found: %s", a);
    OK(shmctl(id, IPC_RMID, NULL));
    return 0;
  }
  int id = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
  if (id < 0) UNAVAILABLE("shmget");
  strcpy(shmat(id, NULL, 0), "left before exec");
  char text[16];
  snprintf(text, sizeof text, "%d", id);
  OK(execl("/proc/self/exe", argv[0], text, NULL));
}
