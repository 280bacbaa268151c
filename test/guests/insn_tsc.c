// rdtsc and rdtscp: values, differences, many in a loop
#include "guest.h"
#include <x86intrin.h>
int main(void) {
  unsigned aux;
  unsigned long long last = __rdtsc(), hash = 0;
  for (int i = 0; i < 5000; i++) {
    unsigned long long now = i % 2 ? __rdtscp(&aux) : __rdtsc();
    hash = hash * 31 + (now - last);
    last = now;
  }
  say("tsc %llx, aux %u, hash of differences %llx", last, aux, hash);
}
