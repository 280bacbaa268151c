// Standard input is read to its end
// stdin: first line\nsecond line\nno newline at the end
#include "guest.h"
int main(void) {
  char text[256];
  long total = 0;
  for (ssize_t n; (n = OK(read(0, text + total, 7))) > 0;) total += n;
  text[total] = 0;
  CHECK(read(0, text + total, 1) == 0);
  CHECK(total == 44);
  say("%ld bytes: %s", total, text);
}
