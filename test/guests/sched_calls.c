// sched_*: policy, parameters, priorities, affinity, rr interval, getattr, nice, getpriority, ioprio
#include "guest.h"
#include <sys/resource.h>
int main(void) {
  CHECK(sched_getscheduler(0) == SCHED_OTHER);
  struct sched_param param = {0};
  OK(sched_getparam(0, &param));
  say("fifo %d..%d", sched_get_priority_min(SCHED_FIFO), sched_get_priority_max(SCHED_FIFO));
  OK(sched_setscheduler(0, SCHED_BATCH, &param));
  CHECK(sched_getscheduler(0) == SCHED_BATCH);
  OK(sched_setscheduler(0, SCHED_OTHER, &param));
  struct timespec t;
  OK(sched_rr_get_interval(0, &t));
  uint32_t attr[14] = {0};
  OK((int)syscall(SYS_sched_getattr, 0, attr, sizeof attr, 0));
  cpu_set_t set;
  OK(sched_getaffinity(0, sizeof set, &set));
  long raw = syscall(SYS_sched_getaffinity, 0, sizeof set, &set);
  errno = 0;
  int nice_now = nice(3);
  say("interval %ld, attr size %u, affinity of %ld bytes, %d cpus, nice %d", t.tv_nsec, attr[0], raw, CPU_COUNT(&set),
      nice_now);
  CHECK(getpriority(PRIO_PROCESS, 0) == nice_now);
  FAILS(EINVAL, sched_setscheduler(0, 99, &param));
  FAILS(ESRCH, sched_getscheduler(0x7ffffff0));
  say("ioprio %ld", syscall(SYS_ioprio_get, 1, 0));
  for (int i = 0; i < 1000; i++) OK(sched_yield());
}
