// A MAP_GROWSDOWN area is extended by touching below it
#include "guest.h"
int main(void) {
  char* room = OK(mmap(NULL, 1 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  OK(munmap(room, 1 << 20));
  char* low = mmap(room + (1 << 20) - 8192, 8192, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED_NOREPLACE, -1, 0);
  if (low == MAP_FAILED) UNAVAILABLE("MAP_GROWSDOWN here");
  volatile char* p = low + 8191;
  for (int i = 0; i < 60; i++) p[-i * 4096] = (char)i;
  for (int i = 0; i < 60; i++) CHECK(p[-i * 4096] == (char)i);
  say("grown by 58 pages below %p", (void*)low);
}
