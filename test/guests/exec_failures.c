// exec fails with ENOENT, EACCES, ENOTDIR, E2BIG, EFAULT and the program goes on
#include "guest.h"
int main(void) {
  char* args[] = {"x", NULL};
  FAILS(ENOENT, execv("/nonexistent", args));
  FAILS(EACCES, execv("/etc/passwd", args));
  FAILS(ENOTDIR, execv("/etc/passwd/x", args));
  FAILS(EACCES, execv("/", args));
  FAILS(EFAULT, syscall(SYS_execve, (char*)16, args, NULL));
  size_t size = 8 << 20;
  char* big = malloc(size);
  CHECK(big != NULL);
  memset(big, 'a', size - 1);
  big[size - 1] = 0;
  char* too_much[] = {"true", big, NULL};
  FAILS(E2BIG, execv("/bin/true", too_much));
  for (int i = 0; i < 100; i++) FAILS(ENOENT, execv("/nonexistent", args));
  say("still here as %d", (int)getpid());
}
