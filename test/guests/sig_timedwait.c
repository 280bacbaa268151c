// sigwait, sigwaitinfo and sigtimedwait with queued values, and a timeout
#include "guest.h"
int main(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGRTMIN);
  OK(sigprocmask(SIG_BLOCK, &set, NULL));
  siginfo_t info;
  FAILS(EAGAIN, sigtimedwait(&set, &info, &(struct timespec){0, 5000000}));
  FAILS(EAGAIN, sigtimedwait(&set, &info, &(struct timespec){0, 0}));
  OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 42}));
  OK(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 43}));
  CHECK(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_value.sival_int == 42 && info.si_code == SI_QUEUE);
  CHECK(sigtimedwait(&set, &info, &(struct timespec){1, 0}) == SIGRTMIN && info.si_value.sival_int == 43);
  say("pid in siginfo: %d", (int)info.si_pid);
  OK(raise(SIGUSR1));
  int signo;
  ZERO(sigwait(&set, &signo));
  CHECK(signo == SIGUSR1);
  pid_t child = OK(fork());
  if (child == 0) {
    sleep_ms(10);
    _exit(sigqueue(getppid(), SIGRTMIN, (union sigval){.sival_int = 7}) != 0);
  }
  CHECK(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_pid == child);
  reap_ok(child);
  say("child %d queued %d", (int)info.si_pid, info.si_value.sival_int);
}
