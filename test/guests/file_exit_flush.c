// Output left in the stdio buffer is written at exit, after the atexit handlers' own
#include "guest.h"
static void first(void) { printf("first handler\n"); }
static void second(void) { printf("second handler\n"); }
int main(void) {
  CHECK(atexit(first) == 0 && atexit(second) == 0);
  printf("from main\n");
  fprintf(stderr, "and this to stderr\n");
  return 0;
}
