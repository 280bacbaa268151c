// getrandom, getentropy, /dev/urandom, /dev/random, rand with time as seed, mkstemp-like names
#include "guest.h"
#include <sys/random.h>
static void show(const char* name, const unsigned char* bytes) {
  say("%s: %02x%02x%02x%02x%02x%02x%02x%02x", name, bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5],
      bytes[6], bytes[7]);
}
int main(void) {
  unsigned char bytes[300];
  CHECK(getrandom(bytes, 8, 0) == 8);
  show("getrandom", bytes);
  CHECK(getrandom(bytes, 300, GRND_NONBLOCK) == 300);
  show("300 bytes", bytes + 292);
  CHECK(syscall(SYS_getrandom, bytes, 8, 0) == 8);
  show("raw", bytes);
  OK(getentropy(bytes, 256));
  show("getentropy", bytes);
  static const char* const paths[] = {"/dev/urandom", "/dev/random"};
  for (int i = 0; i < 2; i++) {
    int fd = OK(open(paths[i], O_RDONLY | O_NONBLOCK));
    CHECK(read(fd, bytes, 8) == 8);
    show(paths[i], bytes);
  }
  srand((unsigned)time(NULL) ^ (unsigned)getpid());
  say("rand %d %d", rand(), rand());
  FAILS(EINVAL, getrandom(bytes, 1, 0xff00));
}
