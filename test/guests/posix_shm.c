// shm_open between processes, resized, unlinked while mapped
#include "guest.h"
int main(void) {
  char name[64];
  snprintf(name, sizeof name, "/guest-shm-%d", (int)getpid());
  int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
  if (fd < 0) UNAVAILABLE("shm_open");
  OK(ftruncate(fd, 8192));
  pid_t child = OK(fork());
  if (child == 0) {
    int mine = OK(shm_open(name, O_RDWR, 0));
    char* map = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, mine, 0));
    sprintf(map + 4096, "written by %d", (int)getpid());
    _exit(0);
  }
  reap_ok(child);
  OK(shm_unlink(name));
  char* map = OK(mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0));
  say("%s", map + 4096);
  CHECK(atoi(map + 4096 + 11) == child);
}
