// mkdir, opendir, readdir in the order of the file system, telldir, nftw
#include "guest.h"
#include <dirent.h>
static int visited;
static int visit(const char* path, const struct stat* st, int type, struct FTW* where) {
  (void)st, (void)where;
  say("%d %s", type, path);
  visited++;
  return 0;
}
int main(void) {
  scratch();
  for (int i = 0; i < 40; i++) {
    char name[32];
    snprintf(name, sizeof name, i % 5 ? "file-%d" : "dir-%d", i * 7919 % 97);
    if (i % 5) put_file(name, "x");
    else OK(mkdir(name, 0700));
  }
  DIR* dir = opendir(".");
  CHECK(dir != NULL);
  int count = 0;
  for (struct dirent* entry; (entry = readdir(dir)) != NULL; count++)
    say("%s inode %lu type %d", entry->d_name, (unsigned long)entry->d_ino, entry->d_type);
  CHECK(count == 42);
  long end = telldir(dir);
  rewinddir(dir);
  CHECK(readdir(dir) != NULL);
  closedir(dir);
  OK(nftw(".", visit, 4, FTW_PHYS));
  CHECK(visited == 41);
  say("end at %ld", end);
}
