// Constructors, destructors, atexit, on_exit, quick_exit: their order
#include "guest.h"
__attribute__((constructor(101))) static void early(void) { say("constructor 101"); }
__attribute__((constructor)) static void late(void) { say("constructor, pid %d", (int)getpid()); }
__attribute__((destructor)) static void destroy(void) { say("destructor"); }
static void at_exit(void) { say("atexit"); }
static void at_on_exit(int status, void* arg) { say("on_exit %d %s", status, (char*)arg); }
static void at_quick(void) { say("quick"); }
int main(void) {
  CHECK(atexit(at_exit) == 0 && on_exit(at_on_exit, "argument") == 0 && at_quick_exit(at_quick) == 0);
  pid_t child = OK(fork());
  if (child == 0) quick_exit(0);
  reap_ok(child);
}
