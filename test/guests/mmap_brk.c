// brk and sbrk: growth, contents, shrinking, the raw call's answers
#include "guest.h"
int main(void) {
  char* start = sbrk(0);
  CHECK(sbrk(100000) == start);
  memset(start, 5, 100000);
  char* raw = (char*)syscall(SYS_brk, 0);
  CHECK(raw == start + 100000);
  CHECK((char*)syscall(SYS_brk, raw + 4096 * 10) == raw + 4096 * 10);
  CHECK(raw[4096 * 10 - 1] == 0);
  CHECK((char*)syscall(SYS_brk, 1) == raw + 4096 * 10);
  CHECK((char*)syscall(SYS_brk, raw) == raw);
  OK(brk(start));
  CHECK(sbrk(100000) == start);
  CHECK(start[99000] == 0 || start[99000] == 5);
  say("brk at %p, now %p", (void*)start, sbrk(0));
}
