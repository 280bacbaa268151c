// personality is read, changed and inherited
#include "guest.h"
#include <sys/personality.h>
int main(void) {
  int now = personality(0xffffffff);
  CHECK(now != -1);
  OK(personality((unsigned long)now | UNAME26));
  CHECK(personality(0xffffffff) & UNAME26);
  pid_t child = OK(fork());
  if (child == 0) _exit(personality(0xffffffff) & UNAME26 ? 0 : 1);
  reap_ok(child);
  OK(personality((unsigned long)now));
  say("personality %#x", now & ~ADDR_NO_RANDOMIZE);
}
