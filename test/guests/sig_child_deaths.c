// Children die of every catchable deadly signal; the parent prints each wait status
#include "guest.h"
#include <sys/resource.h>
int main(void) {
  OK(setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}));
  static const int signals[] = {SIGHUP,  SIGINT,  SIGQUIT,   SIGILL,  SIGTRAP, SIGABRT, SIGBUS,  SIGFPE,
                                SIGKILL, SIGUSR1, SIGSEGV,   SIGUSR2, SIGPIPE, SIGALRM, SIGTERM, SIGSTKFLT,
                                SIGXCPU, SIGXFSZ, SIGVTALRM, SIGPROF, SIGIO,   SIGPWR,  SIGSYS};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    pid_t child = OK(fork());
    if (child == 0) {
      kill(getpid(), signals[i]);
      _exit(0);
    }
    int status = reap(child);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
    say("pid %d: %s", (int)child, strsignal(WTERMSIG(status)));
  }
}
