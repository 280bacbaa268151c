// stat, lstat, fstat, fstatat, statx, access, faccessat: one file through all
#include "guest.h"
int main(void) {
  scratch();
  put_file("f", "twelve bytes");
  OK(symlink("f", "l"));
  struct stat a, b, c, d, e;
  OK(stat("f", &a));
  OK(lstat("l", &b));
  OK(fstat(OK(open("l", O_RDONLY)), &c));
  OK(fstatat(AT_FDCWD, "l", &d, AT_SYMLINK_NOFOLLOW));
  OK(fstatat(OK(open("f", O_PATH)), "", &e, AT_EMPTY_PATH));
  CHECK(a.st_ino == c.st_ino && a.st_ino == e.st_ino && b.st_ino == d.st_ino && S_ISLNK(b.st_mode) && a.st_size == 12);
  say("dev %lx ino %lu mtime %ld.%09ld", (unsigned long)a.st_dev, (unsigned long)a.st_ino, (long)a.st_mtim.tv_sec,
      a.st_mtim.tv_nsec);
  struct statx x;
  OK(statx(AT_FDCWD, "f", AT_STATX_SYNC_AS_STAT, STATX_ALL, &x));
  say("statx mask %#x, born %lld, attributes %llx", x.stx_mask, (long long)x.stx_btime.tv_sec,
      (unsigned long long)x.stx_attributes);
  FAILS(ENOENT, stat("nothing", &a));
  FAILS(ENOTDIR, stat("f/x", &a));
  FAILS(ENOENT, stat("", &a));
  OK(access("f", R_OK | W_OK));
  FAILS(ENOENT, access("nothing", F_OK));
  OK(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
  say("executable: %d", access("f", X_OK));
}
