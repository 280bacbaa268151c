// A shared futex in a file mapping hands turns between two processes
#include "guest.h"
#include <linux/futex.h>
#include <stdatomic.h>
int main(void) {
  scratch();
  int fd = OK(open("words", O_RDWR | O_CREAT, 0600));
  OK(ftruncate(fd, 4096));
  _Atomic uint32_t* turn = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  pid_t child = OK(fork());
  uint32_t me = child == 0;
  for (int i = 0; i < 100; i++) {
    while (*turn % 2 != me) syscall(SYS_futex, turn, FUTEX_WAIT, 1 - me, NULL, NULL, 0);
    *turn = 1 - me;
    OK((int)syscall(SYS_futex, turn, FUTEX_WAKE, 1, NULL, NULL, 0));
  }
  if (child == 0) _exit(0);
  reap_ok(child);
  say("200 turns");
}
