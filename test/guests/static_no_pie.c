// A dynamic executable at a fixed address, with lazy binding
// cflags: -no-pie -fno-pie -Wl,-z,lazy
#include "guest.h"
int main(void) {
  CHECK((uintptr_t)&main < 0x10000000);
  say("main at %p, %s", (void*)&main, strstr("lazily bound", "bound"));
}
