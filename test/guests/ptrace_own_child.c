// ptrace of a child: PTRACE_TRACEME, stops, registers; or a refusal
#include "guest.h"
#include <sys/ptrace.h>
#include <sys/user.h>
int main(void) {
  pid_t child = OK(fork());
  if (child == 0) {
    long result = ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    if (result < 0) _exit(50);
    raise(SIGSTOP);
    _exit(51);
  }
  int status;
  CHECK(waitpid(child, &status, 0) == child);
  if (WIFEXITED(status)) {
    say("refused: %d", WEXITSTATUS(status));
    return 0;
  }
  CHECK(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  struct user_regs_struct regs;
  OK((int)ptrace(PTRACE_GETREGS, child, NULL, &regs));
  CHECK(regs.rip != 0);
  OK((int)ptrace(PTRACE_CONT, child, NULL, NULL));
  CHECK(WEXITSTATUS(reap(child)) == 51);
  say("child %d was traced", (int)child);
}
