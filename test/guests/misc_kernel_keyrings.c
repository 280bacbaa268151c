// Rarely used calls: keyctl, kcmp, getpriority of users, landlock, bpf, perf_event_open, quotactl, name_to_handle_at
#include "guest.h"
static void probe(const char* name, long result) {
  say("%s: %d %s", name, result < 0 ? -1 : 0, result < 0 ? strerror(errno) : "");
}
int main(void) {
  char handle[200] = {0};
  int mount;
  *(unsigned*)(void*)handle = 128;
  probe("keyctl", syscall(SYS_keyctl, 0, -3, 0));
  probe("kcmp", syscall(SYS_kcmp, getpid(), getpid(), 0, 0, 1));
  probe("bpf", syscall(SYS_bpf, 9999, NULL, 0));
  probe("perf_event_open", syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0));
  probe("name_to_handle_at", syscall(SYS_name_to_handle_at, AT_FDCWD, "/", handle, &mount, 0));
  probe("landlock", syscall(444, NULL, 0, 1));
  probe("process_madvise", syscall(440, -1, NULL, 0, 0, 0));
  probe("memfd_secret", syscall(447, 0));
  probe("cachestat", syscall(451, -1, NULL, NULL, 0));
  probe("iopl", syscall(SYS_iopl, 9));
  probe("modify_ldt", syscall(SYS_modify_ldt, 0, handle, 16));
  probe("syslog", syscall(SYS_syslog, 10, NULL, 0));
  probe("acct", syscall(SYS_acct, "/nonexistent/file"));
  probe("sysfs", syscall(SYS_sysfs, 3));
  probe("ustat", syscall(SYS_ustat, 0, handle));
  probe("get_mempolicy", syscall(SYS_get_mempolicy, &mount, NULL, 0, NULL, 0));
  probe("move_pages", syscall(SYS_move_pages, 0, 0, NULL, NULL, NULL, 0));
  probe("lookup_dcookie", syscall(SYS_lookup_dcookie, 0, NULL, 0));
  probe("restart_syscall", syscall(SYS_restart_syscall));
}
