// The program's own data page is replaced by a file map and back
#include "guest.h"
static char page[8192] __attribute__((aligned(4096)));
int main(void) {
  scratch();
  put_file("f", "from the file");
  strcpy(page, "from the data segment");
  int fd = OK(open("f", O_RDONLY));
  CHECK(mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) == page);
  CHECK(strcmp(page, "from the file") == 0);
  strcpy(page, "changed");
  CHECK(mmap(page, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0) == page);
  CHECK(page[0] == 0);
  say("replaced at %p", (void*)page);
}
