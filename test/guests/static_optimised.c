// The same feature mix compiled with -O3 and frame pointers left out, vectorised loops over recorded data
// cflags: -O3 -fomit-frame-pointer -march=x86-64-v2
#include "guest.h"
#include <sys/random.h>
int main(void) {
  static uint32_t data[4096];
  for (int i = 0; i < 64; i++) CHECK(getrandom(data + i * 64, 256, 0) == 256);
  uint32_t sum = 0, most = 0;
  for (int i = 0; i < 4096; i++) sum += data[i] * 3, most = data[i] > most ? data[i] : most;
  say("%u %u", sum, most);
}
