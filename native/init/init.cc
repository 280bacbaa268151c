// understudy-init: the first process of a guest's PID namespace. It is there so that everything inside ends when it does, that orphans
// have a parent, and that a replay's processes can have the numbers that they had when they were recorded.
//
// Invariants:
//  - Descriptor 3 is the memory file, descriptor 4 a pidfd of the host. Mounts and host name are made already (native/src/namespaces.cc).
//  - SIGCHLD is ignored when this begins, so the kernel reaps what ends.
//  - One thread: a second one would take the number of the guest's root process.
//
// Must not: use libc, fork, or touch anything in Control but NextPid.
#include "understudy/abi.h"

using namespace understudy::abi;

namespace {

constexpr long kSysMmap = 9, kSysPwrite = 18, kSysOpenat = 257, kSysFutex = 202, kSysPpoll = 271, kSysPrctl = 157,
               kSysClose = 3, kSysExitGroup = 231;
constexpr long kAtFdcwd = -100, kWriteOnly = 1, kReadWrite = 3, kShared = 1, kFutexWait = 0, kFutexWake = 1,
               kPrSetName = 15;
constexpr int kMemoryFd = 3, kHostFd = 4, kPollIn = 1;
// The kernel kills this process with the host (PR_SET_PDEATHSIG); looking for oneself covers what could go wrong with that.
constexpr long kLookNs = 500'000'000;

struct Timespec {
  long sec, nsec;
};
struct Poll {
  int fd;
  short events, revents;
};

long call(long nr, long a = 0, long b = 0, long c = 0, long d = 0, long e = 0, long f = 0) {
  long result;
  register long r10 asm("r10") = d;
  register long r8 asm("r8") = e;
  register long r9 asm("r9") = f;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
               : "rcx", "r11", "memory");
  return result;
}

[[noreturn]] void end(int status) {
  for (;;) call(kSysExitGroup, status);
}

// The kernel gives the number after the last one; writing that one needs the rights over this namespace that only its first process
// is sure to have kept.
int make_next(int pid) {
  const long fd = call(kSysOpenat, kAtFdcwd, long("/proc/sys/kernel/ns_last_pid"), kWriteOnly);
  if (fd < 0) return int(fd);
  char digits[12];
  int at = sizeof digits;
  for (int n = pid - 1;; n /= 10) {
    digits[--at] = char('0' + n % 10);
    if (n < 10) break;
  }
  const long written = call(kSysPwrite, fd, long(digits + at), long(sizeof digits) - at, 0);
  call(kSysClose, fd);
  return written < 0 ? int(written) : 0;
}

}  // namespace

extern "C" [[noreturn, gnu::used]] void init_main() {
  call(kSysPrctl, kPrSetName, long("understudy-init"));
  const long at = call(kSysMmap, 0, long(kControlSize), kReadWrite, kShared, kMemoryFd, long(kFileControl));
  if (at < 0 && at > -4096) end(127);
  Control& control = *reinterpret_cast<Control*>(at);
  if (control.magic != kMagic || control.abi_version != kAbiVersion) end(127);
  NextPid& next = control.next_pid;
  for (;;) {
    const uint32_t asked = __atomic_load_n(&next.asked, __ATOMIC_ACQUIRE);
    if (asked != next.answered) {
      next.error = next.pid > 1 ? make_next(next.pid) : -22;
      __atomic_store_n(&next.answered, asked, __ATOMIC_SEQ_CST);
      call(kSysFutex, long(&next.answered), kFutexWake, 0x7fffffff);
      continue;
    }
    Timespec look{0, kLookNs};
    call(kSysFutex, long(&next.asked), kFutexWait, asked, long(&look));
    Poll host{kHostFd, kPollIn, 0};
    Timespec now{0, 0};
    if (call(kSysPpoll, long(&host), 1, long(&now), 0, 8) > 0) end(0);
  }
}

asm(".globl init_start\n"
    "init_start:\n"
    "  xor %ebp, %ebp\n"
    "  and $-16, %rsp\n"
    "  call init_main\n"
    "  ud2\n");
