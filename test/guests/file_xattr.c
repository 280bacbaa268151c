// Extended attributes: set, get, list, remove, where the file system has them
#include "guest.h"
#include <sys/xattr.h>
int main(void) {
  scratch();
  put_file("f", "x");
  if (setxattr("f", "user.colour", "green", 5, XATTR_CREATE) < 0) UNAVAILABLE("extended attributes");
  FAILS(EEXIST, setxattr("f", "user.colour", "red", 3, XATTR_CREATE));
  char text[100] = "";
  CHECK(getxattr("f", "user.colour", text, 100) == 5 && strcmp(text, "green") == 0);
  CHECK(getxattr("f", "user.colour", NULL, 0) == 5);
  FAILS(ERANGE, getxattr("f", "user.colour", text, 2));
  FAILS(ENODATA, getxattr("f", "user.none", text, 100));
  int fd = OK(open("f", O_RDWR));
  OK(fsetxattr(fd, "user.size", "12", 2, 0));
  ssize_t n = OK(listxattr("f", text, 100));
  for (ssize_t i = 0; i < n; i += (ssize_t)strlen(text + i) + 1) say("%s", text + i);
  OK(removexattr("f", "user.colour"));
  CHECK(flistxattr(fd, text, 100) < n);
}
