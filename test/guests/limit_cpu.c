// RLIMIT_CPU is read back; getrusage of itself, threads and children
#include "guest.h"
#include <sys/resource.h>
#include <sys/times.h>
int main(void) {
  pid_t child = OK(fork());
  if (child == 0) {
    for (volatile int i = 0; i < 3000000; i++) {}
    _exit(0);
  }
  reap_ok(child);
  struct rusage self, thread, children;
  OK(getrusage(RUSAGE_SELF, &self));
  OK(getrusage(RUSAGE_THREAD, &thread));
  OK(getrusage(RUSAGE_CHILDREN, &children));
  FAILS(EINVAL, getrusage((__rusage_who_t)99, &self));
  struct tms t;
  clock_t ticks = OK(times(&t));
  say("self %ld us, faults %ld, switches %ld, maxrss %ld", (long)self.ru_utime.tv_usec, self.ru_minflt, self.ru_nvcsw,
      self.ru_maxrss);
  say("thread %ld us, children %ld us, ticks %ld %ld", (long)thread.ru_utime.tv_usec, (long)children.ru_utime.tv_usec,
      (long)ticks, (long)t.tms_cutime);
}
