// A family of processes and threads of every origin (fork, vfork, exec by the leader and by another thread), a zombie, a number left out
// link: -pthread
#include "guest.h"
#include <pthread.h>
#include <spawn.h>
extern char** environ;
static char* self;
static int ready[2], hold[2];

static void announce(const char* name) {
  say("%s pid %d ppid %d tid %d", name, (int)getpid(), (int)getppid(), (int)gettid());
  CHECK(write(ready[1], "x", 1) == 1);
}
static void wait_for_the_end(void) {
  char c;
  close(hold[1]);
  while (read(hold[0], &c, 1) < 0 && errno == EINTR) {}
}
static void* sit(void* name) {
  announce(name);
  wait_for_the_end();
  return NULL;
}
static void* become(void* unused) {
  OK(execl(self, self, "execed by a thread", NULL));
  return unused;
}
static pid_t spawn_self(char* name) {
  pid_t pid;
  char* args[] = {self, name, NULL};
  ZERO(posix_spawn(&pid, self, NULL, NULL, args, environ));
  return pid;
}

int main(int argc, char** argv) {
  (void)argv;
  if (argc > 1) {
    // The descriptors are where main put them.
    ready[1] = 21, hold[0] = 22, hold[1] = 23;
    announce(argv[1]);
    wait_for_the_end();
    return 4;
  }
  static char path[4096];
  CHECK(OK(readlink("/proc/self/exe", path, sizeof path - 1)) > 0);
  self = path;
  OK(pipe(ready));
  OK(pipe(hold));
  OK(dup2(ready[1], 21));
  OK(dup2(hold[0], 22));
  OK(dup2(hold[1], 23));
  close(ready[1]), close(hold[0]), close(hold[1]);
  ready[1] = 21, hold[0] = 22, hold[1] = 23;

  pid_t gone = OK(fork());
  if (gone == 0) _exit(5);
  int status;
  CHECK(OK(waitpid(gone, &status, 0)) == gone && WEXITSTATUS(status) == 5);

  pid_t forked = OK(fork());
  if (forked == 0) {
    pthread_t thread;
    ZERO(pthread_create(&thread, NULL, sit, "thread of the child"));
    if (OK(fork()) == 0) {
      close(23);
      announce("grandchild");
      wait_for_the_end();
      _exit(1);
    }
    announce("child");
    wait_for_the_end();
    ZERO(pthread_join(thread, NULL));
    OK(wait(&status));
    raise(SIGTERM);
  }
  pid_t spawned = spawn_self("spawned");
  pid_t changed = OK(fork());
  if (changed == 0) {
    pthread_t thread;
    ZERO(pthread_create(&thread, NULL, become, NULL));
    for (;;) pause();
  }
  pid_t zombie = OK(fork());
  if (zombie == 0) raise(SIGUSR1);
  siginfo_t info;
  OK(waitid(P_PID, (id_t)zombie, &info, WEXITED | WNOWAIT));
  say("zombie pid %d ppid %d tid %d", (int)zombie, (int)getpid(), (int)zombie);
  for (int i = 0; i < 5; i++) {
    char c;
    CHECK(read(ready[0], &c, 1) == 1);
  }
  say("parent pid %d ppid %d tid %d", (int)getpid(), (int)getppid(), (int)gettid());
  say("all are there");
  close(23);
  CHECK(OK(waitpid(zombie, &status, 0)) == zombie && WTERMSIG(status) == SIGUSR1);
  CHECK(OK(waitpid(forked, &status, 0)) == forked && WTERMSIG(status) == SIGTERM);
  CHECK(OK(waitpid(spawned, &status, 0)) == spawned && WEXITSTATUS(status) == 4);
  CHECK(OK(waitpid(changed, &status, 0)) == changed && WEXITSTATUS(status) == 4);
}
