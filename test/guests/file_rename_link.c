// rename, renameat2, link, symlink, readlink, unlink, and their failures
#include "guest.h"
int main(void) {
  scratch();
  put_file("a", "A");
  put_file("b", "B");
  OK(link("a", "hard"));
  struct stat st;
  OK(stat("a", &st));
  CHECK(st.st_nlink == 2);
  FAILS(EEXIST, link("a", "b"));
  OK(symlink("somewhere/else", "soft"));
  char text[64] = "";
  CHECK(readlink("soft", text, 63) == 14 && strcmp(text, "somewhere/else") == 0);
  CHECK(readlink("soft", text, 4) == 4);
  FAILS(EINVAL, readlink("a", text, 63));
  OK(rename("a", "b"));
  FAILS(ENOENT, rename("a", "c"));
  put_file("c", "C");
  int result = renameat2(AT_FDCWD, "b", AT_FDCWD, "c", RENAME_EXCHANGE);
  FAILS(EEXIST, renameat2(AT_FDCWD, "b", AT_FDCWD, "c", RENAME_NOREPLACE));
  OK(mkdir("d", 0755));
  OK(rename("c", "d/c"));
  FAILS(ENOTEMPTY, rmdir("d"));
  FAILS(EISDIR, unlink("d"));
  OK(unlinkat(AT_FDCWD, "d/c", 0));
  OK(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
  say("exchange gave %d", result);
}
