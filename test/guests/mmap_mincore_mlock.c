// mincore, mlock, munlock, mlockall, mlock2
#include "guest.h"
int main(void) {
  char* a = OK(mmap(NULL, 8 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  unsigned char vec[8];
  a[0] = a[3 * 4096] = 1;
  OK(mincore(a, 8 * 4096, vec));
  CHECK((vec[0] & 1) && (vec[3] & 1) && !(vec[6] & 1));
  say("resident %d%d%d%d%d%d%d%d", vec[0] & 1, vec[1] & 1, vec[2] & 1, vec[3] & 1, vec[4] & 1, vec[5] & 1, vec[6] & 1,
      vec[7] & 1);
  OK(mlock(a, 2 * 4096));
  OK(mincore(a, 8 * 4096, vec));
  CHECK(vec[1] & 1);
  OK(munlock(a, 2 * 4096));
  int locked = mlock2(a, 4096, MLOCK_ONFAULT);
  say("mlock2 %d", locked);
  FAILS(ENOMEM, mincore((void*)4096, 4096, vec));
}
