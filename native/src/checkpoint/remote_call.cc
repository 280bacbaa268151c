// See remote_call.h.
#include "remote_call.h"

#include <elf.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include "page_tracker.h"

namespace understudy::host::checkpoint {
namespace {

constexpr int kStopsMax = 16;
constexpr int kSyscallStop = SIGTRAP | 0x80;

// While we have its registers no handler must run: a signal that came between would be delivered with them.
class SignalsHeld {
 public:
  explicit SignalsHeld(pid_t tid) : tid_(tid) {
    const uint64_t all = ~0ull;
    held_ = ptrace(PTRACE_GETSIGMASK, tid_, sizeof mask_, &mask_) == 0 &&
            ptrace(PTRACE_SETSIGMASK, tid_, sizeof all, &all) == 0;
  }
  ~SignalsHeld() {
    if (held_) ptrace(PTRACE_SETSIGMASK, tid_, sizeof mask_, &mask_);
  }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;
  bool held() const { return held_; }

 private:
  const pid_t tid_;
  uint64_t mask_ = 0;
  bool held_ = false;
};

// Lets it go on to a stop that `is` accepts. SIGSTOP, which no mask holds back, is put aside.
template <class F>
bool run_to(pid_t tid, int request, bool* sigstop, F is) {
  for (int stops = 0; stops < kStopsMax; stops++) {
    if (ptrace(__ptrace_request(request), tid, 0, 0) != 0) return false;
    int status = 0;
    pid_t r;
    do r = waitpid(tid, &status, __WALL);
    while (r < 0 && errno == EINTR);
    if (r != tid || !WIFSTOPPED(status)) return false;
    if (is(status)) return true;
    if (status >> 16 == 0 && WSTOPSIG(status) == SIGSTOP) *sigstop = true;
  }
  return false;
}

bool is_syscall_stop(int status) { return WSTOPSIG(status) == kSyscallStop; }
bool is_interrupt_stop(int status) { return status >> 16 == PTRACE_EVENT_STOP; }

}  // namespace

int64_t remote_call(pid_t tid, uint64_t instruction, uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2) {
  user_regs_struct before{};
  iovec io{&before, sizeof before};
  if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &io) != 0) return -errno;
  const SignalsHeld signals(tid);
  if (!signals.held() || ptrace(PTRACE_SETOPTIONS, tid, 0, PTRACE_O_TRACESYSGOOD) != 0) return -errno;
  user_regs_struct regs = before;
  regs.rip = instruction;
  regs.rax = number;
  regs.rdi = a0;
  regs.rsi = a1;
  regs.rdx = a2;
  // Otherwise the kernel would take rax for the result of the interrupted call, and our rip for its place.
  regs.orig_rax = ~0ull;
  io = {&regs, sizeof regs};
  if (ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &io) != 0) return -errno;
  int64_t result = -ESRCH;
  bool sigstop = false;
  if (run_to(tid, PTRACE_SYSCALL, &sigstop, is_syscall_stop) &&
      run_to(tid, PTRACE_SYSCALL, &sigstop, is_syscall_stop)) {
    io = {&regs, sizeof regs};
    if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &io) == 0) result = int64_t(regs.rax);
  }
  // To a stop of the kind that it was in. Calls that were interrupted are begun again on the way out of such a stop; on the way out of
  // the one at a call's end the program would see the kernel's own mark for them.
  if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) != 0 || !run_to(tid, PTRACE_CONT, &sigstop, is_interrupt_stop)) return -ESRCH;
  io = {&before, sizeof before};
  if (ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &io) != 0) return -errno;
  if (sigstop) syscall(SYS_tkill, tid, SIGSTOP);
  return result;
}

UniqueFd make_userfault(pid_t tid, uint64_t instruction) {
  const int64_t fd = remote_call(tid, instruction, SYS_userfaultfd, uint64_t(kUserfaultFlags));
  if (fd < 0) {
    errno = int(-fd);
    return UniqueFd();
  }
  // A thread's number is no process's; what it has open is the process's all the same.
  UniqueFd mine = take_descriptor(tid, int(fd));
  const int error = errno;
  remote_call(tid, instruction, SYS_close, uint64_t(fd));
  errno = error;
  return mine;
}

}  // namespace understudy::host::checkpoint
