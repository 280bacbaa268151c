// A shared file map: writes through either side are seen by the other, msync
#include "guest.h"
int main(void) {
  scratch();
  int fd = OK(open("file", O_RDWR | O_CREAT, 0600));
  OK(ftruncate(fd, 12288));
  char* map = OK(mmap(NULL, 12288, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  strcpy(map, "through the map");
  char text[32];
  CHECK(pread(fd, text, 32, 0) == 32 && strcmp(text, "through the map") == 0);
  CHECK(pwrite(fd, "through the file", 17, 4096) == 17);
  CHECK(strcmp(map + 4096, "through the file") == 0);
  OK(msync(map, 12288, MS_SYNC));
  OK(msync(map, 4096, MS_ASYNC));
  char* again = OK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096));
  map[4096] = 'T';
  CHECK(again[0] == 'T');
  struct stat st;
  OK(fstat(fd, &st));
  say("%s; %s; %ld blocks", map, again, (long)st.st_blocks);
}
