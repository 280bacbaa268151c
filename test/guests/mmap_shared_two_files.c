// Two processes map one file at different offsets and lengths and talk through it
#include "guest.h"
#include <stdatomic.h>
int main(void) {
  scratch();
  int fd = OK(open("board", O_RDWR | O_CREAT, 0600));
  OK(ftruncate(fd, 65536));
  pid_t child = OK(fork());
  if (child == 0) {
    int again = OK(open("board", O_RDWR));
    char* part = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, again, 32768));
    _Atomic int* flag = (_Atomic int*)(part + 4096);
    strcpy(part, "from the child");
    *flag = (int)getpid();
    while (*flag != 0) sched_yield();
    _exit(0);
  }
  char* all = OK(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  _Atomic int* flag = (_Atomic int*)(all + 32768 + 4096);
  while (*flag == 0) sched_yield();
  say("%d says %s", *flag, all + 32768);
  *flag = 0;
  reap_ok(child);
}
