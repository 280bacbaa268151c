// O_TMPFILE, tmpfile, mkstemp, an unlinked open file, linkat of a descriptor
#include "guest.h"
int main(void) {
  scratch();
  int fd = open(".", O_TMPFILE | O_RDWR, 0600);
  if (fd >= 0) {
    CHECK(write(fd, "secret", 6) == 6);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    say("linkat: %d", linkat(AT_FDCWD, path, AT_FDCWD, "appeared", AT_SYMLINK_FOLLOW));
  } else {
    say("O_TMPFILE: %s", strerror(errno));
  }
  char name[] = "name-XXXXXX";
  int other = OK(mkstemp(name));
  say("mkstemp chose %s", name);
  OK(unlink(name));
  CHECK(write(other, "still", 5) == 5);
  struct stat st;
  OK(fstat(other, &st));
  CHECK(st.st_nlink == 0 && st.st_size == 5);
  FILE* file = tmpfile();
  CHECK(file && fputs("text", file) >= 0 && fclose(file) == 0);
}
