// rseq: glibc's registration, or the program's own; the cpu number in it
#include "guest.h"
#include <sys/rseq.h>
int main(void) {
  if (__rseq_size > 0) {
    struct rseq* area = (struct rseq*)((char*)__builtin_thread_pointer() + __rseq_offset);
    int id = (int)area->cpu_id;
    say("glibc registered it, cpu id %d, sched_getcpu %d", id < 0 ? -1 : id, sched_getcpu());
    FAILS(EINVAL, syscall(SYS_rseq, (void*)3, 32, 0, 0));
  } else {
    static struct rseq own __attribute__((aligned(32)));
    long result = syscall(SYS_rseq, &own, sizeof own, 0, 0x53053053);
    say("own registration: %ld %s", result, result < 0 ? strerror(errno) : "");
  }
}
