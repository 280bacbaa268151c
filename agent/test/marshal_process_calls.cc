// Calls about processes, time, signals, System V objects and tracing: see marshal_arena.h for what is done with each.
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/keyctl.h>
#include <linux/prctl.h>
#include <mqueue.h>
#include <sched.h>
#include <signal.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timex.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "marshal_arena.h"

namespace marshal_test {

void processes() {
  reset();
  if (fork() == 0) _exit(3);
  siginfo_t* info = take<siginfo_t>();
  check("waitid", 0, SYS_waitid, P_ALL, 0, info, WEXITED | WNOWAIT, take<rusage>());
  check("wait4", kOk, SYS_wait4, -1, take<int>(), 0, take<rusage>());
  check("wait4 without children", -ECHILD, SYS_wait4, -1, take<int>(), 0, take<rusage>());
  check("waitid without children", -ECHILD, SYS_waitid, P_ALL, 0, take<siginfo_t>(), WEXITED, take<rusage>());
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  check("wait4, nothing yet", 0, SYS_wait4, -1, take<int>(), WNOHANG, take<rusage>());
  check("waitid, nothing yet", 0, SYS_waitid, P_ALL, 0, take<siginfo_t>(), WEXITED | WNOHANG, take<rusage>());
  check("process_vm_readv", 20, SYS_process_vm_readv, child, put(iovec{take(20), 20}), 1, put(iovec{arena, 20}), 1, 0);
  kill(child, SIGKILL);
  check("wait4 of the killed", child, SYS_wait4, child, take<int>(), 0, nullptr);

  check("getrusage", 0, SYS_getrusage, RUSAGE_SELF, take<rusage>());
  check("getrlimit", 0, SYS_getrlimit, RLIMIT_NOFILE, take<rlimit>());
  check("prlimit64", 0, SYS_prlimit64, 0, RLIMIT_STACK, nullptr, take<rlimit>());
  check("times", kOk, SYS_times, take<tms>());
  check("uname", 0, SYS_uname, take<utsname>());
  check("sysinfo", 0, SYS_sysinfo, take<struct sysinfo>());
  check("getgroups, number only", kOk, SYS_getgroups, 0, nullptr);
  check("getgroups", kOk, SYS_getgroups, 100, take<int>(100));
  check("getresuid", 0, SYS_getresuid, take<int>(), take<int>(), take<int>());
  check("getresgid", 0, SYS_getresgid, take<int>(), take<int>(), take<int>());
  struct __user_cap_header_struct cap = {0x20080522, 0};
  check("capget", 0, SYS_capget, put(cap), take(64));
  cap.version = 0x19980330;
  check("capget, first version", 0, SYS_capget, put(cap), take(64));
  cap.version = 1;
  check("capget, unknown version", -EINVAL, SYS_capget, put(cap), take(64));
  check("capget, asking for the version", 0, SYS_capget, put(cap), nullptr);
  check("sched_getaffinity", kOk, SYS_sched_getaffinity, 0, 1024, take(1024));
  check("sched_getparam", 0, SYS_sched_getparam, 0, take<int>());
  check("sched_rr_get_interval", 0, SYS_sched_rr_get_interval, 0, take<timespec>());
  check("sched_getattr", 0, SYS_sched_getattr, 0, take(128), 56, 0);
  uint32_t* attr = take<uint32_t>(64);
  attr[0] = 256;
  check("sched_setattr, too big", kAny, SYS_sched_setattr, 0, attr, 0);
  check("getcpu", 0, SYS_getcpu, take<int>(), take<int>(), nullptr);
  check("get_robust_list", 0, SYS_get_robust_list, 0, take<uint64_t>(), take<uint64_t>());
  check("get_mempolicy", kAny, SYS_get_mempolicy, take<int>(), take(256), 1024, nullptr, 0);
  check("get_mempolicy, an odd number of nodes", kAny, SYS_get_mempolicy, take<int>(), take(256), 1025, nullptr, 4);
  void* pages[] = {arena, arena + 8192};
  check("move_pages", kAny, SYS_move_pages, 0, 2, memcpy(take<void*>(2), pages, sizeof pages), nullptr, take<int>(2),
        0);
  check("getrandom", 33, SYS_getrandom, take(64), 33, 0);

  check("PR_GET_NAME", 0, SYS_prctl, PR_GET_NAME, take(64), 0, 0, 0);
  check("PR_GET_PDEATHSIG", 0, SYS_prctl, PR_GET_PDEATHSIG, take<int>(), 0, 0, 0);
  check("PR_GET_CHILD_SUBREAPER", 0, SYS_prctl, PR_GET_CHILD_SUBREAPER, take<int>(), 0, 0, 0);
  check("PR_GET_TSC", 0, SYS_prctl, PR_GET_TSC, take<int>(), 0, 0, 0);
  check("PR_GET_TID_ADDRESS", kAny, SYS_prctl, 40, take<uint64_t>(), 0, 0, 0);
  check("PR_GET_AUXV", kAny, SYS_prctl, 0x41555856, take(1024), 1024, 0, 0);
  check("PR_GET_AUXV, short", kAny, SYS_prctl, 0x41555856, take(32), 32, 0, 0);
  check("PR_GET_DUMPABLE", kOk, SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0);
  check("ARCH_GET_FS", 0, SYS_arch_prctl, 0x1003, take<uint64_t>());
  check("ARCH_GET_XCOMP_SUPP", kAny, SYS_arch_prctl, 0x1021, take<uint64_t>());
  check("keyctl DESCRIBE", kAny, SYS_keyctl, 6, -3, take(256), 256, 0);
  check("keyctl CAPABILITIES", kAny, SYS_keyctl, 31, take(64), 64, 0, 0);
  check("SECCOMP_GET_NOTIF_SIZES", kAny, SYS_seccomp, 3, 0, take(64));
  check("lsm_list_modules", kAny, 461, take(256), put<uint32_t>(256), 0);
  check("lsm_list_modules, too small", kAny, 461, take(256), put<uint32_t>(1), 0);
}

void times_and_signals() {
  reset();
  check("gettimeofday", 0, SYS_gettimeofday, take<timeval>(), take(16));
  check("time", kOk, SYS_time, take<uint64_t>());
  check("clock_gettime", 0, SYS_clock_gettime, CLOCK_REALTIME, take<timespec>());
  check("clock_getres", 0, SYS_clock_getres, CLOCK_REALTIME, take<timespec>());
  check("clock_gettime of no clock", -EINVAL, SYS_clock_gettime, 77, take<timespec>());
  check("getitimer", 0, SYS_getitimer, ITIMER_REAL, take<itimerval>());
  check("setitimer", 0, SYS_setitimer, ITIMER_REAL, put(itimerval{}), take<itimerval>());
  check("adjtimex", kOk, SYS_adjtimex, put(timex{}));
  check("clock_adjtime", kOk, SYS_clock_adjtime, CLOCK_REALTIME, put(timex{}));
  struct sigevent ev = {};
  ev.sigev_notify = SIGEV_NONE;
  int* timer = take<int>();
  check("timer_create", 0, SYS_timer_create, CLOCK_MONOTONIC, put(ev), timer);
  check("timer_settime", 0, SYS_timer_settime, *timer, 0, put(itimerspec{{0, 0}, {100, 0}}), take<itimerspec>());
  check("timer_gettime", 0, SYS_timer_gettime, *timer, take<itimerspec>());
  check("timer_delete", 0, SYS_timer_delete, *timer);
  const int fd = static_cast<int>(check("timerfd_create", kOk, SYS_timerfd_create, CLOCK_MONOTONIC, 0));
  check("timerfd_settime", 0, SYS_timerfd_settime, fd, 0, put(itimerspec{{0, 0}, {0, 1000}}), take<itimerspec>());
  check("timerfd_gettime", 0, SYS_timerfd_gettime, fd, take<itimerspec>());
  check("read of a timerfd", 8, SYS_read, fd, take<uint64_t>(), 8);
  close(fd);
  check("rt_sigaction", 0, SYS_rt_sigaction, SIGUSR1, nullptr, take(64), 8);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  check("rt_sigprocmask", 0, SYS_rt_sigprocmask, SIG_BLOCK, put(set), take(64), 8);
  kill(getpid(), SIGUSR1);
  check("rt_sigpending", 0, SYS_rt_sigpending, take(64), 8);
  check("rt_sigtimedwait", SIGUSR1, SYS_rt_sigtimedwait, put(set), take<siginfo_t>(), nullptr, 8);
  check("rt_sigtimedwait, nothing", -EAGAIN, SYS_rt_sigtimedwait, put(set), take<siginfo_t>(), put(timespec{0, 0}), 8);
  check("sigaltstack", 0, SYS_sigaltstack, nullptr, take(64));
}

void system_v() {
  reset();
  const int sem = static_cast<int>(check("semget", kOk, SYS_semget, IPC_PRIVATE, 3, 0600));
  if (sem >= 0) {
    check("SETVAL", 0, SYS_semctl, sem, 1, SETVAL, 7);
    check("GETVAL", 7, SYS_semctl, sem, 1, GETVAL, 0);
    check("GETALL", 0, SYS_semctl, sem, 0, GETALL, take<uint16_t>(3));
    check("semctl IPC_STAT", 0, SYS_semctl, sem, 0, IPC_STAT, take<semid_ds>());
    check("semctl IPC_INFO", kOk, SYS_semctl, 0, 0, IPC_INFO, take<seminfo>());
    check("SEM_INFO", kOk, SYS_semctl, 0, 0, SEM_INFO, take<seminfo>());
    check("semctl IPC_RMID", 0, SYS_semctl, sem, 0, IPC_RMID, 0);
  }
  const int shm = static_cast<int>(check("shmget", kOk, SYS_shmget, IPC_PRIVATE, 4096, 0600));
  if (shm >= 0) {
    check("shmctl IPC_STAT", 0, SYS_shmctl, shm, IPC_STAT, take<shmid_ds>());
    check("shmctl IPC_INFO", kOk, SYS_shmctl, 0, IPC_INFO, take(128));
    check("SHM_INFO", kOk, SYS_shmctl, 0, SHM_INFO, take(128));
    check("shmctl IPC_RMID", 0, SYS_shmctl, shm, IPC_RMID, nullptr);
  }
  const int queue = static_cast<int>(check("msgget", kOk, SYS_msgget, IPC_PRIVATE, 0600));
  if (queue >= 0) {
    struct {
      long type;
      char text[32];
    } m = {4, "a message"};
    check("msgsnd", 0, SYS_msgsnd, queue, put(m), 9, 0);
    check("msgctl IPC_STAT", 0, SYS_msgctl, queue, IPC_STAT, take<msqid_ds>());
    check("msgctl IPC_INFO", kOk, SYS_msgctl, 0, IPC_INFO, take(128));
    check("msgrcv", 9, SYS_msgrcv, queue, take(64), 32, 0, 0);
    check("msgrcv, nothing", -ENOMSG, SYS_msgrcv, queue, take(64), 32, 0, IPC_NOWAIT);
    check("msgctl IPC_RMID", 0, SYS_msgctl, queue, IPC_RMID, nullptr);
  }
  struct mq_attr attr = {};
  attr.mq_maxmsg = 4;
  attr.mq_msgsize = 64;
  const int mq = static_cast<int>(
      check("mq_open", kAny, SYS_mq_open, "understudy-marshal-test", O_CREAT | O_RDWR, 0600, put(attr)));
  if (mq >= 0) {
    syscall(SYS_mq_unlink, "understudy-marshal-test");
    check("mq_timedsend", 0, SYS_mq_timedsend, mq, "abc", 3, 5, nullptr);
    check("mq_getsetattr", 0, SYS_mq_getsetattr, mq, nullptr, take<mq_attr>());
    check("mq_timedreceive", 3, SYS_mq_timedreceive, mq, take(64), 64, take<int>(), nullptr);
    close(mq);
  }
}

void traced_process() {
  reset();
  const pid_t child = fork();
  if (child == 0) {
    syscall(SYS_ptrace, 0, 0, 0, 0);
    raise(SIGSTOP);
    _exit(0);
  }
  int status;
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return fail("a traced child did not stop");
  check("PTRACE_GETREGS", 0, SYS_ptrace, 12, child, 0, take(512));
  check("PTRACE_GETFPREGS", 0, SYS_ptrace, 14, child, 0, take(1024));
  check("PTRACE_GETSIGINFO", 0, SYS_ptrace, 0x4202, child, 0, take(256));
  check("PTRACE_PEEKDATA", 0, SYS_ptrace, 2, child, arena, take<uint64_t>());
  check("PTRACE_PEEKUSER", 0, SYS_ptrace, 3, child, 0, take<uint64_t>());
  check("PTRACE_GETSIGMASK", 0, SYS_ptrace, 0x420a, child, 8, take(64));
  check("PTRACE_GETREGSET", 0, SYS_ptrace, 0x4204, child, 1, put(iovec{take(512), 512}));
  check("PTRACE_GETREGSET, short", 0, SYS_ptrace, 0x4204, child, 2, put(iovec{take(512), 64}));
  check("PTRACE_GET_SYSCALL_INFO", kOk, SYS_ptrace, 0x420e, child, 88, take(128));
  check("PTRACE_GETEVENTMSG", kAny, SYS_ptrace, 0x4201, child, 0, take(64));
  check("PTRACE_GET_RSEQ_CONFIGURATION", kAny, SYS_ptrace, 0x420f, child, 24, take(64));
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
}

// A clone's ids, in the parent's event and in the child's.
void clones() {
  reset();
  int* parent = take<int>();
  int* child = take<int>();
  *parent = 11;
  *child = 12;
  const Call c{SYS_clone, {0x00100000 | 0x01000000, 0, (uint64_t)parent, (uint64_t)child, 0, 0}};
  const auto in_parent = record(c, {}, 500), in_child = record(c, {}, 0), failed = record(c, {}, -EAGAIN);
  if (in_parent.size() != 1 || in_parent[0].bytes[0] != 11) fail("clone, in the parent");
  if (in_child.size() != 1 || in_child[0].bytes[0] != 12) fail("clone, in the child");
  if (!failed.empty()) fail("clone that failed");
  const uint64_t args[11] = {0x1000 | 0x01000000, (uint64_t)parent, (uint64_t)child, (uint64_t)parent};
  const Call c3{SYS_clone3, {(uint64_t)args, sizeof args, 0, 0, 0, 0}};
  const auto parent3 = record(c3, {}, 500), child3 = record(c3, {}, 0);
  if (parent3.size() != 2 || parent3[0].nil || !parent3[1].nil) fail("clone3, in the parent");
  if (child3.size() != 1 || child3[0].bytes[0] != 12) fail("clone3, in the child");
}

}  // namespace marshal_test
