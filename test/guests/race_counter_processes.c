// Unsynchronised counter in shared memory between four processes
#include "guest.h"
int main(void) {
  volatile long* counter = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  for (int i = 0; i < 4; i++)
    if (OK(fork()) == 0) {
      for (int k = 0; k < 200000; k++) ++*counter;
      _exit(0);
    }
  for (int i = 0; i < 4; i++) OK(wait(NULL));
  say("counter %ld of 800000", *counter);
}
