// Descriptors with FD_CLOEXEC are closed by exec, the others stay
#include "guest.h"
int main(int argc, char** argv) {
  if (argc == 3) {
    FAILS(EBADF, fcntl(atoi(argv[1]), F_GETFD));
    CHECK(fcntl(atoi(argv[2]), F_GETFD) == 0);
    char text[16] = "";
    CHECK(read(atoi(argv[2]), text, 16) == 6);
    say("inherited: %s", text);
    return 0;
  }
  int fds[2];
  OK(pipe(fds));
  CHECK(write(fds[1], "hello", 6) == 6);
  int closing = OK(fcntl(fds[1], F_DUPFD_CLOEXEC, 20));
  char a[16], b[16];
  snprintf(a, sizeof a, "%d", closing);
  snprintf(b, sizeof b, "%d", fds[0]);
  OK(execl("/proc/self/exe", argv[0], a, b, NULL));
}
