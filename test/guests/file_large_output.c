// A megabyte to standard output, in pieces of many sizes
#include "guest.h"
int main(void) {
  static char block[9000];
  unsigned state = 12345;
  long total = 0;
  while (total < 1 << 20) {
    size_t size = 1 + (state = state * 1103515245 + 12345) % 8999;
    for (size_t i = 0; i < size; i++) block[i] = (char)(' ' + (total + (long)i) % 90);
    block[size - 1] = '\n';
    for (size_t done = 0; done < size;) done += (size_t)OK(write(1, block + done, size - done));
    total += (long)size;
  }
}
