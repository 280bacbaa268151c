// Standard descriptors are closed and taken by other files
#include "guest.h"
int main(void) {
  scratch();
  int saved = OK(dup(1));
  OK(close(0));
  OK(close(1));
  CHECK(open("zero", O_RDWR | O_CREAT, 0600) == 0);
  CHECK(open("one", O_RDWR | O_CREAT, 0600) == 1);
  say("into the file");
  CHECK(lseek(1, 0, SEEK_END) == 14);
  OK(dup2(saved, 1));
  say("back on the real one");
}
