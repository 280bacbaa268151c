// memfd_create: size, maps, seals, shared with a child, mapped executable text
#include "guest.h"
int main(void) {
  int fd = OK(memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  OK(ftruncate(fd, 8192));
  char* a = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  char* b = OK(mmap(NULL, 8192, PROT_READ, MAP_SHARED, fd, 0));
  strcpy(a, "one memory");
  CHECK(strcmp(b, "one memory") == 0);
  pid_t child = OK(fork());
  if (child == 0) {
    strcpy(a + 4096, "child");
    _exit(0);
  }
  reap_ok(child);
  CHECK(strcmp(b + 4096, "child") == 0);
  OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
  FAILS(EPERM, ftruncate(fd, 4096));
  FAILS(EPERM, ftruncate(fd, 16384));
  int seals = OK(fcntl(fd, F_GET_SEALS));
  static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};  // mov eax, 42; ret
  memcpy(a, code, sizeof code);
  void* run = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
  CHECK(run != MAP_FAILED);
  CHECK(((int (*)(void))run)() == 42);
  say("seals %#x", seals);
}
