// /dev/zero mapped privately and shared; /dev/null, /dev/full, /dev/zero read and written
#include "guest.h"
int main(void) {
  int zero = OK(open("/dev/zero", O_RDWR)), null = OK(open("/dev/null", O_RDWR)), full = OK(open("/dev/full", O_RDWR));
  char* a = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, zero, 0));
  char* b = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, zero, 0));
  CHECK(a[0] == 0 && b[0] == 0);
  a[0] = 1;
  pid_t child = OK(fork());
  if (child == 0) {
    b[0] = 2;
    a[0] = 3;
    _exit(0);
  }
  reap_ok(child);
  CHECK(a[0] == 1 && b[0] == 2);
  CHECK(read(null, a, 10) == 0 && write(null, a, 10) == 10);
  FAILS(ENOSPC, write(full, a, 10));
  CHECK(read(full, a, 10) == 10 && a[0] == 0);
  say("devices as they should be");
}
