// SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV and SIGSYS sent by somebody while they are blocked wait until they are not
#include "guest.h"
#include <poll.h>
static volatile sig_atomic_t got[65];
static void handler(int signo, siginfo_t* info, void* context) {
  (void)context, got[signo] += info->si_code <= 0 ? 1 : 100;
}
int main(void) {
  const int sent[] = {SIGILL, SIGTRAP, SIGBUS, SIGFPE, SIGSEGV, SIGSYS};
  sigset_t all, none, set;
  sigfillset(&all), sigemptyset(&none);
  OK(sigprocmask(SIG_SETMASK, &all, NULL));
  for (int i = 0; i < 6; i++) {
    on_siginfo(sent[i], handler, 0);
    OK(kill(getpid(), sent[i]));
    OK(kill(getpid(), sent[i]));
  }
  OK(sigpending(&set));
  for (int i = 0; i < 6; i++) CHECK(sigismember(&set, sent[i]) && !got[sent[i]]);
  siginfo_t info;
  sigemptyset(&set), sigaddset(&set, SIGSEGV);
  CHECK(sigtimedwait(&set, &info, &(struct timespec){0, 0}) == SIGSEGV && info.si_pid == getpid());
  FAILS(EAGAIN, sigtimedwait(&set, &info, &(struct timespec){0, 0}));
  sigfillset(&set), sigdelset(&set, SIGSYS);
  FAILS(EINTR, sigsuspend(&set));
  CHECK(got[SIGSYS] == 1);
  sigfillset(&set), sigdelset(&set, SIGTRAP);
  FAILS(EINTR, ppoll(NULL, 0, NULL, &set));
  CHECK(got[SIGTRAP] == 1);
  pid_t child = OK(fork());
  if (child == 0) {
    sigset_t pending;
    OK(sigpending(&pending));
    _exit(sigismember(&pending, SIGBUS));
  }
  CHECK(WEXITSTATUS(reap(child)) == 0);
  OK(sigprocmask(SIG_SETMASK, &none, NULL));
  for (int i = 0; i < 6; i++) CHECK(got[sent[i]] == (sent[i] != SIGSEGV));
  say("each once");
}
