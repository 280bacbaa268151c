// seccomp: available actions, refused modes
#include "guest.h"
#include <linux/seccomp.h>
int main(void) {
  static const uint32_t actions[] = {SECCOMP_RET_ALLOW,        SECCOMP_RET_ERRNO,      SECCOMP_RET_TRAP,
                                     SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_USER_NOTIF, 0x12340000};
  for (int i = 0; i < 6; i++) {
    long result = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &actions[i]);
    say("action %#x: %s", actions[i], result < 0 ? strerror(errno) : "available");
  }
  long unknown = syscall(SYS_seccomp, 99, 0, NULL);
  CHECK(unknown == -1);
  say("unknown operation: %s", strerror(errno));
  long wild = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, (void*)8);
  CHECK(wild == -1);
  say("wild pointer: %s", strerror(errno));
}
