// clone variants: CLONE_FILES, CLONE_FS, CLONE_VM|CLONE_VFORK, settid flags, no exit signal
#include "guest.h"
#include <sched.h>
static char stack[65536] __attribute__((aligned(16)));
static volatile int shared;
static pid_t parent_tid, child_tid;
static int change(void* arg) {
  shared = 1;
  if (arg) OK(close(*(int*)arg));
  OK(chdir("/"));
  return 7;
}
static int note(void* arg) {
  (void)arg;
  return child_tid == getpid() ? 0 : 9;
}
int main(void) {
  const char* where = scratch();
  char cwd[300];
  int fd = OK(dup(1));
  pid_t child = OK(clone(change, stack + sizeof stack, CLONE_FILES | CLONE_FS | SIGCHLD, &fd));
  CHECK(WEXITSTATUS(reap(child)) == 7);
  CHECK(shared == 0);
  FAILS(EBADF, close(fd));
  CHECK(strcmp(getcwd(cwd, sizeof cwd), "/") == 0);
  OK(chdir(where));
  child = OK(clone(change, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL));
  CHECK(shared == 1);
  CHECK(WEXITSTATUS(reap(child)) == 7);
  CHECK(strcmp(getcwd(cwd, sizeof cwd), where) == 0);
  child = OK(clone(note, stack + sizeof stack, CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | SIGCHLD, NULL, &parent_tid,
                   NULL, &child_tid));
  CHECK(parent_tid == child && child_tid == 0);
  reap_ok(child);
  child = OK(clone(note, stack + sizeof stack, CLONE_CHILD_SETTID, NULL, NULL, NULL, &child_tid));
  FAILS(ECHILD, waitpid(child, NULL, 0));
  int status;
  CHECK(waitpid(child, &status, __WALL) == child && status == 0);
  say("cloned, last was %d", (int)child);
}
