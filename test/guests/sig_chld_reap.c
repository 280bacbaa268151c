// A SIGCHLD handler reaps several children; the order and coalescing are printed
#include "guest.h"
static volatile sig_atomic_t reaped, calls;
static volatile pid_t order[8];
static void handler(int signo) {
  (void)signo;
  calls++;
  int saved = errno, status;
  for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) order[reaped++] = pid;
  errno = saved;
}
int main(void) {
  on_signal(SIGCHLD, handler, SA_RESTART | SA_NOCLDSTOP);
  sigset_t chld, old;
  sigemptyset(&chld);
  sigaddset(&chld, SIGCHLD);
  OK(sigprocmask(SIG_BLOCK, &chld, &old));
  for (int i = 0; i < 8; i++)
    if (OK(fork()) == 0) {
      for (volatile int work = 0; work < i * 10000; work++) {}
      _exit(i);
    }
  while (reaped < 8) sigsuspend(&old);
  for (int i = 0; i < 8; i++) say("reaped %d", (int)order[i]);
  say("in %d calls", (int)calls);
}
