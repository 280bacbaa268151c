// Runs a command and reports what it used, as one line of JSON on descriptor 3: wall, user and system time in
// nanoseconds (of the command and of all descendants that were waited for), and its wait status.
//
// A program of its own because Node measures neither: its spawn costs milliseconds, and it never sees a child's rusage.
// Must not: be recorded itself. It stands outside of `understudy record`, as it does of strace.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ll + t.tv_nsec;
}
static long long ns_of(struct timeval t) { return t.tv_sec * 1000000000ll + t.tv_usec * 1000ll; }

int main(int argc, char** argv) {
  if (argc < 2 || fcntl(3, F_SETFD, FD_CLOEXEC) != 0) {
    fprintf(stderr, "usage: bench-usage COMMAND ...   (descriptor 3 must be open for the result)\n");
    return 2;
  }
  long long start = now_ns();
  pid_t child = vfork();
  if (child == 0) {
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  int status;
  struct rusage usage;
  while (wait4(child, &status, 0, &usage) < 0)
    if (errno != EINTR) {
      perror("bench-usage: wait4");
      return 2;
    }
  long long wall = now_ns() - start;
  dprintf(3, "{\"wallNs\":%lld,\"userNs\":%lld,\"systemNs\":%lld,\"status\":%d}\n", wall, ns_of(usage.ru_utime),
          ns_of(usage.ru_stime), status);
  return 0;
}
