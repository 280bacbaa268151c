// SIGSTOP and SIGCONT of a child, seen with WUNTRACED and WCONTINUED
#include "guest.h"
int main(void) {
  pid_t child = OK(fork());
  if (child == 0) {
    OK(raise(SIGSTOP));
    _exit(5);
  }
  int status;
  CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
  say("stopped: %#x", status);
  OK(kill(child, SIGCONT));
  CHECK(waitpid(child, &status, WCONTINUED) == child);
  if (WIFCONTINUED(status)) CHECK(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 5);
  say("ended: %#x", status);
}
