// A daemon: double fork, setsid, closed descriptors; it reports through a pipe
#include "guest.h"
int main(void) {
  int fds[2];
  OK(pipe(fds));
  pid_t child = OK(fork());
  if (child == 0) {
    OK(setsid());
    if (OK(fork()) != 0) _exit(0);
    OK(chdir("/"));
    umask(027);
    int null = OK(open("/dev/null", O_RDWR));
    for (int i = 0; i < 3; i++) OK(dup2(null, i));
    char text[64];
    int n = snprintf(text, sizeof text, "daemon %d session %d", (int)getpid(), (int)getsid(0));
    CHECK(write(fds[1], text, (size_t)n) == n);
    _exit(0);
  }
  OK(close(fds[1]));
  reap_ok(child);
  char text[64] = "";
  CHECK(read(fds[0], text, 63) > 0);
  CHECK(read(fds[0], text + 60, 1) == 0);
  say("%s", text);
}
