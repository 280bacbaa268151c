// Runs a command and reports what it used, as one line of JSON in a file: wall, user and system time in nanoseconds (of the
// command and of all descendants that were waited for), and its wait status.
//
//   bench-usage FILE COMMAND ...
//
// A program of its own because Node measures neither: its spawn costs milliseconds, and it never sees a child's rusage.
// Around `understudy record` it measures the whole command; recorded itself, it measures the guest without Node's start.
#include <errno.h>
#include <stdio.h>
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
  if (argc < 3) {
    fprintf(stderr, "usage: bench-usage FILE COMMAND ...\n");
    return 2;
  }
  long long start = now_ns();
  pid_t child = vfork();
  if (child == 0) {
    execvp(argv[2], argv + 2);
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
  FILE* report = fopen(argv[1], "w");
  if (!report) {
    perror(argv[1]);
    return 2;
  }
  fprintf(report, "{\"wallNs\":%lld,\"userNs\":%lld,\"systemNs\":%lld,\"status\":%d}\n", wall, ns_of(usage.ru_utime),
          ns_of(usage.ru_stime), status);
  return fclose(report) == 0 ? 0 : 2;
}
