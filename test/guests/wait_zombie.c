// A zombie is visible in /proc until it is reaped
#include "guest.h"
int main(void) {
  pid_t child = OK(fork());
  if (child == 0) _exit(0);
  siginfo_t info;
  OK(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
  char path[64], text[512] = "";
  snprintf(path, sizeof path, "/proc/%d/stat", (int)child);
  int fd = OK(open(path, O_RDONLY));
  CHECK(read(fd, text, sizeof text - 1) > 0);
  char* state = strrchr(text, ')');
  CHECK(state && state[2] == 'Z');
  OK(kill(child, 0));
  reap_ok(child);
  FAILS(ESRCH, kill(child, 0));
  say("state %c of %d", state[2], (int)child);
}
