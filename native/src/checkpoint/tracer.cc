// See tracer.h.
#include "tracer.h"

#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "common.h"

namespace understudy::host::checkpoint {
namespace {
constexpr int kReapRounds = 5000, kLookRounds = 200;
constexpr useconds_t kWaitUs = 20;
constexpr size_t kXsaveMax = 16 << 10;  // AMX included
// What the kernel leaves in rax of a call that it was interrupted in, before it is decided what becomes of it.
constexpr int64_t kRestartSys = -512, kRestartNoIntr = -513, kRestartNoHand = -514, kRestartBlock = -516;
bool is_zombie(pid_t tid) {
  std::string stat;
  if (!read_file("/proc/" + std::to_string(tid) + "/stat", &stat)) return true;
  // "tid (name) state ...": the name may hold anything.
  const size_t at = stat.rfind(')');
  return at != std::string::npos && at + 2 < stat.size() && (stat[at + 2] == 'Z' || stat[at + 2] == 'X');
}
}  // namespace

Tracer::Tracee* Tracer::find(pid_t tid) {
  auto found = std::find_if(tracees_.begin(), tracees_.end(), [&](const Tracee& t) { return t.tid == tid; });
  return found == tracees_.end() ? nullptr : &*found;
}

int Tracer::attach(pid_t tid) {
  if (find(tid) != nullptr) return 0;
  if (ptrace(PTRACE_SEIZE, tid, 0, 0) != 0) return errno;
  tracees_.push_back({tid, false, 0});
  return ptrace(PTRACE_INTERRUPT, tid, 0, 0) == 0 ? 0 : errno;
}

bool Tracer::wait(pid_t tid) {
  Tracee* tracee = find(tid);
  if (tracee == nullptr) return false;
  for (int round = 0; !tracee->stopped; round++) {
    int status = 0;
    // Not for as long as it takes: the first thread of a process that was killed is to be had only after all others, which are traced, too.
    const pid_t r = waitpid(tid, &status, __WALL | WNOHANG);
    if (r < 0 && errno == EINTR) continue;
    if (r == 0 && round % kLookRounds == kLookRounds - 1 && is_zombie(tid)) {
      killed_.push_back(tid);
      tracees_.erase(tracees_.begin() + (tracee - tracees_.data()));
      return false;
    }
    if (r == 0) {
      if (round < kLookRounds) sched_yield();
      else usleep(kWaitUs);
      continue;
    }
    if (r != tid || !WIFSTOPPED(status)) {
      tracees_.erase(tracees_.begin() + (tracee - tracees_.data()));
      return false;
    }
    tracee->stopped = true;
    // Not an event of ptrace's own but a signal on its way: it is the guest's, and goes on when the thread does.
    if (status >> 16 == 0) tracee->signal = WSTOPSIG(status);
  }
  return true;
}

bool Tracer::registers(pid_t tid, ThreadRegisters* out) {
  user_regs_struct regs{};
  iovec io{&regs, sizeof regs};
  if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &io) != 0) return false;
  out->fs_base = regs.fs_base;
  out->rsp = regs.rsp;
  out->rip = regs.rip;
  out->rax = int64_t(regs.rax);
  out->xsave.resize(kXsaveMax);
  io = {out->xsave.data(), out->xsave.size()};
  if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &io) != 0) return false;
  out->xsave.resize(io.iov_len);
  return io.iov_len >= 576;
}

int Tracer::taken_signal(pid_t tid) const {
  for (const Tracee& t : tracees_)
    if (t.tid == tid) return t.signal;
  return 0;
}

void Tracer::detach(pid_t tid) {
  Tracee* tracee = find(tid);
  if (tracee == nullptr) return;
  if (!tracee->stopped && !wait(tid)) return;
  tracee = find(tid);
  // Killed while it stood: its end is told to its tracer, and to nobody else before that.
  if (ptrace(PTRACE_DETACH, tid, 0, tracee->signal) != 0) killed_.push_back(tid);
  tracees_.erase(tracees_.begin() + (tracee - tracees_.data()));
}

void Tracer::detach_all() {
  while (!tracees_.empty()) {
    const pid_t tid = tracees_.back().tid;
    detach(tid);
    // One that cannot be detached is dead.
    if (Tracee* left = find(tid)) tracees_.erase(tracees_.begin() + (left - tracees_.data()));
  }
  // In rounds: a process's first thread ends after all others.
  for (int round = 0; !killed_.empty() && round < kReapRounds; round++) {
    std::erase_if(killed_, [](pid_t tid) {
      int status = 0;
      const pid_t r = waitpid(tid, &status, __WALL | WNOHANG);
      return (r == tid && !WIFSTOPPED(status)) || (r < 0 && errno == ECHILD);
    });
    if (!killed_.empty()) usleep(1000);
  }
}

bool Tracer::is_interrupted(const ThreadRegisters& at, const abi::Entry& entry) {
  const bool in_window = std::any_of(std::begin(entry.window_end), std::end(entry.window_end),
                                     [&](uint64_t end) { return at.rip == end; });
  return in_window && (at.rax == kRestartSys || at.rax == kRestartNoIntr || at.rax == kRestartNoHand ||
                       at.rax == kRestartBlock || at.rax == -EINTR);
}

bool Tracer::freeze(pid_t tid, const abi::Entry& entry) {
  ThreadRegisters at;
  if (attach(tid) != 0 || !wait(tid) || !registers(tid, &at)) return detach(tid), false;
  if (is_interrupted(at, entry)) return true;
  // The call is over, or it is one of the agent's own: it goes on, and lets go of the baton soon.
  detach(tid);
  return false;
}

}  // namespace understudy::host::checkpoint
