// Unsynchronised counters in a mapped file, by two processes that also read the file
#include "guest.h"
int main(void) {
  scratch();
  int fd = OK(open("counters", O_RDWR | O_CREAT, 0600));
  OK(ftruncate(fd, 4096));
  volatile long* counters = OK(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  pid_t child = OK(fork());
  for (int i = 0; i < 3000; i++) {
    counters[i % 5]++;
    long seen;
    if (i % 100 == 0) CHECK(pread(fd, &seen, 8, 8 * (i % 5)) == 8), counters[5] += seen & 1;
  }
  if (child == 0) _exit(0);
  reap_ok(child);
  say("%ld %ld %ld %ld %ld, %ld", counters[0], counters[1], counters[2], counters[3], counters[4], counters[5]);
}
