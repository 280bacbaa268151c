// Junk: the contents of fresh stack frames and of freed memory are folded into the output
#include "guest.h"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
__attribute__((noinline)) static uint64_t stack_junk(void) {
  uint64_t junk[64], hash = 0;
  __asm__ volatile("" : : "r"(junk) : "memory");
  for (int i = 0; i < 64; i++) hash = hash * 31 + junk[i];
  return hash;
}
int main(void) {
  char text[100];
  snprintf(text, sizeof text, "%d %ld", (int)getpid(), (long)time(NULL));
  uint64_t first = stack_junk();
  struct stat st;
  OK(stat("/", &st));
  uint64_t second = stack_junk();
  unsigned char* freed = malloc(200);
  uint64_t third = 0;
  for (int i = 0; i < 200; i++) third = third * 31 + freed[i];
  free(freed);
  say("junk %lx %lx %lx", (unsigned long)first, (unsigned long)second, (unsigned long)third);
}
