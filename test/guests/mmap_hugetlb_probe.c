// MAP_HUGETLB is probed and mostly refused; MAP_POPULATE, MAP_NORESERVE, MAP_LOCKED, MAP_STACK are taken
#include "guest.h"
int main(void) {
  void* huge = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
  say("hugetlb: %s", huge == MAP_FAILED ? strerror(errno) : "granted");
  char* a = OK(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0));
  char* b = OK(mmap(NULL, (size_t)1 << 36, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  char* c = OK(mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0));
  a[100] = b[(size_t)1 << 35] = c[0] = 1;
  say("%p %p %p", (void*)a, (void*)b, (void*)c);
  OK(munmap(b, (size_t)1 << 36));
}
