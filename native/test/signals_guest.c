// A guest for replica_test: signals that a process sends to itself while they are blocked, takes with sigwaitinfo, gets from and sends
// to its children, and deaths of children. What it finds is in $OUT and does not depend on time: a replica that goes live between
// the sending of a signal and its arrival has to come to the same.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t seen, children;
static void on_signal(int signo) { (void)signo, seen++; }
static void on_child(int signo) { (void)signo, children++; }

static int end_of(pid_t child) {
  int status;
  while (waitpid(child, &status, 0) < 0) {}
  return status;
}

int main(void) {
  const char* path = getenv("OUT");
  int fd = path == NULL ? 1 : open(path, O_CREAT | O_WRONLY | O_APPEND, 0666);
  static char out[4096];
  int length = 0;
  signal(SIGUSR1, on_signal);
  signal(SIGCHLD, on_child);
  sigset_t both, before, none;
  sigemptyset(&none);
  sigemptyset(&both);
  sigaddset(&both, SIGUSR1);
  sigaddset(&both, SIGUSR2);
  for (int i = 0; i < 10; i++) {
    seen = 0;
    sigprocmask(SIG_BLOCK, &both, &before);
    kill(getpid(), SIGUSR1);
    for (int k = 0; k < 5; k++) getppid();
    int blocked = seen;
    sigprocmask(SIG_SETMASK, &before, NULL);
    length += sprintf(out + length, "to itself: %d, then %d\n", blocked, (int)seen);

    sigprocmask(SIG_BLOCK, &both, NULL);
    kill(getpid(), SIGUSR2);
    siginfo_t info;
    int got = sigwaitinfo(&both, &info);
    length += sprintf(out + length, "waited for: %d, own %d\n", got, info.si_pid == getpid());

    // Blocked in the child from its beginning.
    seen = 0;
    pid_t child = fork();
    if (child == 0) {
      while (seen == 0) sigsuspend(&none);
      _exit(7);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    kill(child, SIGUSR1);
    length += sprintf(out + length, "told: %x\n", end_of(child));
    for (int signo = SIGKILL; signo; signo = signo == SIGKILL ? SIGTERM : 0) {
      child = fork();
      if (child == 0)
        for (;;) pause();
      kill(child, signo);
      length += sprintf(out + length, "killed by %d: %x\n", signo, end_of(child));
    }
  }
  if (write(fd, out, (size_t)length) != length) return 1;
  return children > 0 ? 3 : 4;
}
