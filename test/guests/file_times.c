// utimensat, futimens, utimes, utime, UTIME_NOW and UTIME_OMIT
#include "guest.h"
#include <sys/time.h>
#include <utime.h>
int main(void) {
  scratch();
  put_file("f", "x");
  struct stat st;
  OK(utimensat(AT_FDCWD, "f", (struct timespec[]){{1000, 123456789}, {2000, 987654321}}, 0));
  OK(stat("f", &st));
  CHECK(st.st_atim.tv_sec == 1000 && st.st_mtim.tv_nsec == 987654321);
  int fd = OK(open("f", O_RDONLY));
  OK(futimens(fd, (struct timespec[]){{0, UTIME_OMIT}, {0, UTIME_NOW}}));
  OK(fstat(fd, &st));
  CHECK(st.st_atim.tv_sec == 1000);
  say("modified %ld.%09ld, changed %ld.%09ld", (long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec, (long)st.st_ctim.tv_sec,
      st.st_ctim.tv_nsec);
  OK(utimes("f", (struct timeval[]){{5, 6}, {7, 8}}));
  OK(utime("f", &(struct utimbuf){11, 12}));
  OK(stat("f", &st));
  CHECK(st.st_mtim.tv_sec == 12);
  FAILS(EINVAL, utimensat(AT_FDCWD, "f", (struct timespec[]){{0, 2000000000}, {0, 0}}, 0));
}
