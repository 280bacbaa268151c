// chmod, fchmod, fchmodat, chown to oneself, umask
#include "guest.h"
int main(void) {
  scratch();
  mode_t old = umask(027);
  int fd = OK(open("f", O_RDWR | O_CREAT, 0777));
  struct stat st;
  OK(fstat(fd, &st));
  CHECK((st.st_mode & 0777) == 0750 && umask(old) == 027);
  OK(chmod("f", 0600));
  OK(fchmod(fd, 0644));
  OK(fchmodat(AT_FDCWD, "f", 0400, 0));
  OK(fstat(fd, &st));
  CHECK((st.st_mode & 07777) == 0400);
  OK(chown("f", getuid(), getgid()));
  OK(fchown(fd, (uid_t)-1, (gid_t)-1));
  OK(lchown("f", (uid_t)-1, getgid()));
  OK(fchownat(AT_FDCWD, "f", getuid(), (gid_t)-1, 0));
  say("old umask %03o, owner %d:%d", old, (int)st.st_uid, (int)st.st_gid);
}
