// A static position-independent executable, which also executes a dynamic one
// cflags: -static-pie
#include "guest.h"
int main(void) {
  say("main at %p", (void*)&main);
  pid_t child = OK(fork());
  if (child == 0) {
    execl("/bin/echo", "echo", "dynamic from static", NULL);
    _exit(1);
  }
  reap_ok(child);
}
