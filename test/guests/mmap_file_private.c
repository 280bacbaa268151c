// A private file map: copy on write, the file stays as it is
#include "guest.h"
int main(void) {
  scratch();
  char text[8192];
  memset(text, 'a', sizeof text);
  text[sizeof text - 1] = 0;
  put_file("file", text);
  int fd = OK(open("file", O_RDWR));
  char* map = OK(mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0));
  CHECK(map[0] == 'a' && map[8190] == 'a' && map[8191] == 0);
  map[0] = 'b';
  char c;
  CHECK(pread(fd, &c, 1, 0) == 1 && c == 'a');
  CHECK(pwrite(fd, "c", 1, 5000) == 1);
  say("map says %c where the file says %c", map[0], c);
  char* second = OK(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 4096));
  CHECK(second[5000 - 4096] == 'c');
  OK(close(fd));
  CHECK(second[0] == 'a');
  OK(unlink("file"));
  CHECK(second[1] == 'a');
}
