// statfs, fstatfs, statvfs, sync, syncfs, sync_file_range, fpathconf
#include "guest.h"
#include <sys/statvfs.h>
#include <sys/vfs.h>
int main(void) {
  scratch();
  struct statfs a, b;
  struct statvfs c;
  OK(statfs(".", &a));
  int fd = OK(open("f", O_RDWR | O_CREAT, 0600));
  CHECK(write(fd, "x", 1) == 1);
  OK(fstatfs(fd, &b));
  OK(statvfs("/", &c));
  CHECK(a.f_type == b.f_type);
  say("type %lx, %lu of %lu blocks free, root has %lu", (unsigned long)a.f_type, (unsigned long)b.f_bfree,
      (unsigned long)b.f_blocks, (unsigned long)c.f_bavail);
  OK(syncfs(fd));
  say("sync_file_range %d, name max %ld", sync_file_range(fd, 0, 1, SYNC_FILE_RANGE_WRITE),
      fpathconf(fd, _PC_NAME_MAX));
}
