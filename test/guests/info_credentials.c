// getuid family, getresuid, getgroups, setuid to oneself, capget, setfsuid, getsid
#include "guest.h"
#include <linux/capability.h>
#include <sys/fsuid.h>
int main(void) {
  uid_t r, e, s;
  gid_t groups[64];
  OK(getresuid(&r, &e, &s));
  CHECK(r == getuid() && e == geteuid());
  OK(getresgid(&r, &e, &s));
  CHECK(r == getgid() && e == getegid());
  int n = OK(getgroups(64, groups));
  CHECK(getgroups(0, NULL) == n);
  for (int i = 0; i < n; i++) say("group %d", (int)groups[i]);
  OK(setuid(getuid()));
  OK(setgid(getgid()));
  OK(setresuid((uid_t)-1, (uid_t)-1, (uid_t)-1));
  OK(setreuid((uid_t)-1, getuid()));
  CHECK(setfsuid((uid_t)-1) == (int)getuid());
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2];
  OK((int)syscall(SYS_capget, &header, data));
  say("capabilities %x %x", data[0].effective, data[1].effective);
  header.version = 1;
  FAILS(EINVAL, syscall(SYS_capget, &header, data));
  CHECK(header.version != 1);
  say("pid %d ppid %d tid %d group %d session %d", (int)getpid(), (int)getppid(), (int)gettid(), (int)getpgrp(),
      (int)getsid(0));
}
