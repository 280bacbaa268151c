// A raw CLONE_THREAD thread without libc's help, joined on the cleared tid word
#include "guest.h"
#include <linux/futex.h>
#include <sched.h>
#include <stdatomic.h>
static char stack[65536] __attribute__((aligned(16)));
static _Atomic int result;
static _Atomic pid_t tid_word = 1;
// The new thread has no TLS of its own: it must not touch libc.
static int body(void* arg) {
  result = *(int*)arg + 1;
  long ret;
  __asm__ volatile("syscall" : "=a"(ret) : "a"(SYS_getpid) : "rcx", "r11", "memory");
  result += ret > 0 ? 100 : 0;
  __asm__ volatile("syscall" : "=a"(ret) : "a"(SYS_exit), "D"(0) : "rcx", "r11", "memory");
  return 0;
}
int main(void) {
  int argument = 41;
  int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID |
              CLONE_PARENT_SETTID;
  pid_t tid = OK(clone(body, stack + sizeof stack, flags, &argument, &tid_word, NULL, &tid_word));
  for (pid_t seen; (seen = tid_word) != 0;) syscall(SYS_futex, &tid_word, FUTEX_WAIT, seen, NULL, NULL, 0);
  CHECK(result == 142);
  say("thread %d came and went", (int)tid);
}
