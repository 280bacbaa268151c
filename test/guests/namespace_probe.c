// unshare, setns, user namespaces, mount: granted or refused
#include "guest.h"
#include <sys/mount.h>
#include <sys/utsname.h>
int main(void) {
  static const struct {
    int flag;
    const char* name;
  } spaces[] = {{CLONE_NEWUSER, "user"}, {CLONE_NEWUTS, "uts"},  {CLONE_NEWIPC, "ipc"},
                {CLONE_NEWNS, "mount"},  {CLONE_FILES, "files"}, {CLONE_FS, "fs"}};
  for (int i = 0; i < 6; i++) {
    pid_t child = OK(fork());
    if (child == 0) {
      int result = unshare(spaces[i].flag);
      say("%s: %s, uid %d", spaces[i].name, result < 0 ? strerror(errno) : "unshared", (int)getuid());
      struct utsname u;
      _exit(uname(&u) < 0);
    }
    reap_ok(child);
  }
  char link[64] = "";
  OK((int)readlink("/proc/self/ns/uts", link, 63));
  say("%s", link);
  FAILS(EBADF, setns(999, 0));
}
