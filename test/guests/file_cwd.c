// chdir, fchdir, getcwd, a removed working directory, /proc/self/cwd, chroot refusal tolerated
#include "guest.h"
int main(void) {
  const char* base = scratch();
  char cwd[512], link[512] = "";
  OK(mkdir("deeper", 0700));
  int here = OK(open(".", O_RDONLY | O_DIRECTORY));
  OK(chdir("deeper"));
  CHECK(getcwd(cwd, sizeof cwd) && strncmp(cwd, base, strlen(base)) == 0 &&
        strcmp(cwd + strlen(cwd) - 7, "/deeper") == 0);
  say("%s", cwd);
  CHECK(readlink("/proc/self/cwd", link, 511) == (ssize_t)strlen(cwd));
  FAILS(ERANGE, getcwd(cwd, 3) == NULL ? -1 : 0);
  OK(rmdir("../deeper"));
  FAILS(ENOENT, getcwd(cwd, sizeof cwd) == NULL ? -1 : 0);
  FAILS(ENOENT, open("x", O_WRONLY | O_CREAT, 0600));
  OK(fchdir(here));
  CHECK(getcwd(cwd, sizeof cwd) && strcmp(cwd, base) == 0);
}
