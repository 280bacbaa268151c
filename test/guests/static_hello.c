// A static executable: stdio, malloc, time
// cflags: -static
#include "guest.h"
int main(void) {
  void* p = malloc(100000);
  printf("static, pid %d, heap %p, time %ld\n", (int)getpid(), p, (long)time(NULL));
  free(p);
}
