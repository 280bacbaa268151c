// A descriptor that was a socket becomes a file that is mapped shared: what is written to it is in the mapping
#include "guest.h"

#include <sys/socket.h>

int main(void) {
  char name[] = "shared_dup2_XXXXXX";
  int file = OK(mkstemp(name));
  OK(unlink(name));
  OK(ftruncate(file, 4096));
  char* view = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0));
  int pair[2];
  OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
  for (int i = 0; i < 3; i++) CHECK(write(pair[0], "socket", 6) == 6);
  OK(dup2(file, pair[0]));
  CHECK(write(pair[0], "first", 6) == 6);
  say("the mapping says %s", view);
  OK(lseek(file, 0, SEEK_SET));
  OK(dup3(file, pair[1], O_CLOEXEC));
  CHECK(write(pair[1], "second", 7) == 7);
  say("the mapping says %s", view);
}
