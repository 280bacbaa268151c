// What a checkpoint that is to become a replica keeps beside memory: what the group has of the kernel, at a moment at which that is not
// ahead of the journal. See checkpointer.h.
#include <sys/syscall.h>

#include <algorithm>

#include "checkpointer.h"

namespace understudy::host::checkpoint {
namespace {
constexpr uint64_t kRunningNs = 200'000;
}  // namespace

// The journal has no event of a thread's call while the thread is in it, and the call is made again from the checkpoint. What the kernel
// has done for it already would be done twice: so it has to be one that was interrupted before it did anything, or changes nothing.
bool Checkpointer::is_settled(const Member& member, const abi::ThreadSlot& thread, const ThreadRegisters& at) const {
  if (thread.resume != abi::kResumeCall || Tracer::is_interrupted(at, memory_.control().entry)) return true;
  return changes_nothing(member, thread);
}

// Which of the calls the kernel may have done, and the journal not.
bool Checkpointer::changes_nothing(const Member& member, const abi::ThreadSlot& thread) const {
  uint64_t nr = 0;
  if (!ProcessMemory(member.pid).read_all(thread.block + abi::kGsRax, reinterpret_cast<uint8_t*>(&nr), sizeof nr))
    return false;
  switch (nr) {
    case SYS_futex:
    case SYS_nanosleep:
    case SYS_clock_nanosleep:
    case SYS_poll:
    case SYS_ppoll:
    case SYS_select:
    case SYS_pselect6:
    case SYS_epoll_wait:
    case SYS_epoll_pwait:
    case SYS_epoll_pwait2:
    case SYS_pause:
    case SYS_rt_sigsuspend:
    case SYS_sched_yield:
    case SYS_fsync:
    case SYS_fdatasync: return true;
    default: return false;
  }
}

// Stopping all threads, only to find one of them in the wrong place, costs everybody milliseconds; a busy guest is tried some dozen times.
bool Checkpointer::look_settled(const std::vector<Member>& members) const {
  const abi::Entry& entry = memory_.control().entry;
  // Of a child that has ended, for the journal, but not quite for the kernel, it is not known how.
  for (const abi::ProcessSlot& process : memory_.control().processes) {
    if (load_acquire(process.state) <= abi::kThreadLive || process.pid <= 0 || process.waited != 0) continue;
    const pid_t pid = enclosure_.host_pid(process.pid);
    std::string stat;
    if (pid <= 0 || !read_file("/proc/" + std::to_string(pid) + "/stat", &stat)) continue;
    const size_t at = stat.rfind(')');
    char state = 0;
    int parent = 0;
    if (at == std::string::npos || sscanf(stat.c_str() + at + 1, " %c %d", &state, &parent) != 2) continue;
    // The number may be another's by now, and nobody may wait for who has no parent here.
    const bool is_child = std::any_of(members.begin(), members.end(), [&](const Member& m) {
      return m.slot == process.parent && m.pid == parent && m.pid != pid;
    });
    if (is_child && state != 'Z') return false;
  }
  for (const Member& member : members)
    for (const abi::ThreadSlot* thread : member.threads) {
      if (thread->resume != abi::kResumeCall) continue;
      const std::string path = "/proc/" + std::to_string(member.pid) + "/task/" +
                               std::to_string(enclosure_.host_pid(thread->tid)) + "/syscall";
      const uint64_t until = monotonic_ns() + kRunningNs;
      std::string text;
      // The kernel is at its call, or it has just begun to wait for the baton.
      bool running = true;
      while (running) {
        if (!read_file(path, &text)) break;  // no such file in this kernel: ptrace will tell
        running = text.starts_with("running");
        if (running && monotonic_ns() > until) return false;
      }
      if (running) continue;
      // "number argument… stack-pointer program-counter"
      const size_t at = text.rfind(' ');
      const uint64_t pc = at == std::string::npos ? 0 : strtoull(text.c_str() + at + 1, nullptr, 16);
      const bool in_call = std::any_of(std::begin(entry.window_end), std::end(entry.window_end),
                                       [&](uint64_t end) { return pc == end; });
      if (!in_call && !changes_nothing(member, *thread)) return false;
    }
  return true;
}

KernelObjects Checkpointer::kernel_or_why_not(const std::vector<Member>& members) const {
  if (!if_possible_) return read_kernel(members);
  KernelObjects nothing;
  if (!settle_) {
    nothing.missing.emplace_back(
        "the program was never between two system calls for long enough to be described; another checkpoint may do "
        "(--from)");
    return nothing;
  }
  try {
    return read_kernel(members);
  } catch (const HostError& error) {
    nothing.missing.emplace_back(error.what());
    return nothing;
  }
}

KernelObjects Checkpointer::read_kernel(const std::vector<Member>& members) const {
  std::vector<pid_t> pids;
  pids.reserve(members.size());
  for (const Member& member : members) pids.push_back(member.pid);
  KernelObjects objects = describe(pids, *standard_);
  // Nobody makes a request while the host has the baton: the area for them is free.
  for (const Member& member : members)
    for (ProcessAttributes& a : objects.processes) {
      if (a.pid != member.pid) continue;
      const pid_t tid = enclosure_.host_pid(member.threads.front()->tid);
      const std::string wrong = read_timers(tid, memory_.control().entry.window_end[0] - 2, abi::kRpcAddr,
                                            memory_.rpc_payload(), &a);
      if (!wrong.empty()) objects.missing.push_back(wrong);
      // One that was about to be delivered when its thread was stopped waits nowhere any more.
      for (const abi::ThreadSlot* thread : member.threads)
        if (const int signal = tracer_.taken_signal(enclosure_.host_pid(thread->tid)); signal > 0 && signal <= 64)
          a.pending |= 1ull << (signal - 1);
    }
  // From the host's numbers to those that the group knows.
  const auto inside = [&](int64_t pid) -> int64_t {
    for (const Member& member : members)
      if (member.pid == pid) return member.threads.front()->pid;
    return -1;
  };
  for (Descriptor& d : objects.descriptors) d.pid = inside(d.pid);
  for (FileLock& lock : objects.locks) lock.pid = inside(lock.pid);
  for (ProcessAttributes& a : objects.processes) {
    a.pid = inside(a.pid);
    for (PosixTimer& t : a.timers)
      if (t.target > 0) t.target = enclosure_.has_pids() ? enclosure_.inside_pid(pid_t(t.target)) : t.target;
  }
  for (OpenFile& file : objects.files)
    if (file.kind == OpenFile::kPidfd && file.target_pid > 0) file.target_pid = inside(file.target_pid);
  return objects;
}

}  // namespace understudy::host::checkpoint
