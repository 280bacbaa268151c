// Buffered output that a fork doubles, on purpose
#include "guest.h"
int main(void) {
  printf("buffered once, ");
  pid_t child = OK(fork());
  if (child == 0) {
    printf("written by the child\n");
    exit(0);
  }
  reap_ok(child);
  printf("written by the parent\n");
}
