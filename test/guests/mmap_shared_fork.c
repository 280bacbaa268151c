// Shared anonymous memory between parent and children; private memory is separate
#include "guest.h"
int main(void) {
  int* shared = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  int* own = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < 5; i++) {
    pid_t child = OK(fork());
    if (child == 0) {
      shared[i] = (int)getpid();
      own[i] = 1;
      _exit(0);
    }
    reap_ok(child);
    CHECK(shared[i] == child && own[i] == 0);
    say("child wrote %d", shared[i]);
  }
}
