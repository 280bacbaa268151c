// open flags: O_CREAT, O_EXCL, O_TRUNC, O_APPEND, O_DIRECTORY, O_NOFOLLOW, O_PATH; descriptor numbers
#include "guest.h"
int main(void) {
  scratch();
  int fd = OK(open("a", O_RDWR | O_CREAT | O_EXCL, 0640));
  FAILS(EEXIST, open("a", O_RDWR | O_CREAT | O_EXCL, 0640));
  CHECK(write(fd, "12345", 5) == 5);
  int append = OK(open("a", O_WRONLY | O_APPEND));
  CHECK(write(append, "678", 3) == 3 && lseek(append, 0, SEEK_CUR) == 8);
  FAILS(EBADF, read(append, &fd, 1));
  FAILS(ENOTDIR, open("a", O_RDONLY | O_DIRECTORY));
  FAILS(EISDIR, open(".", O_WRONLY));
  FAILS(ENOENT, open("b", O_RDONLY));
  OK(symlink("a", "link"));
  FAILS(ELOOP, open("link", O_RDONLY | O_NOFOLLOW));
  int path = OK(open("link", O_PATH | O_NOFOLLOW));
  FAILS(EBADF, read(path, &fd, 0) < 0 ? -1 : 0);
  OK(close(OK(open("a", O_WRONLY | O_TRUNC))));
  struct stat st;
  OK(stat("a", &st));
  CHECK(st.st_size == 0);
  CHECK((fcntl(append, F_GETFL) & O_APPEND) != 0);
  say("descriptors %d %d %d, mode %o, inode %lu", fd, append, path, st.st_mode, (unsigned long)st.st_ino);
}
