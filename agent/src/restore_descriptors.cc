// See restore_descriptors.h.
#include "restore_descriptors.h"

#include "descriptor.h"
#include "report.h"

namespace understudy {

namespace {

constexpr u64 kCloexec = 02000000;
constexpr i64 kESRCH = 3;
constexpr u32 kBirthRounds = 20000;  // of 100 µs, for a process that another one makes

template <class T>
const T* at(u64 offset) {
  return (const T*)(abi::kRestoreAddr + offset);
}

[[noreturn]] void fail(const char* what, i64 error) {
  Text text;
  text.str("what was open cannot be made again here: ").str(what);
  if (is_error(error)) text.str(": error ").dec(-error);
  else text.str(": another result, ").dec(error);
  text.buf[text.len] = 0;
  report_outcome_text(abi::kAgentFault, text.buf);
}

// What the guest can go on without. Several processes may have something to say, and only one can.
void tell_lost(const char* what, i64 error) {
  Text text;
  text.str("what was restored of a checkpoint lacks something: ").str(what).str(": error ").dec(-error);
  while (__atomic_exchange_n(&control().restore_lock, 1, __ATOMIC_ACQUIRE)) sys(kSysSchedYield);
  tell(nullptr, abi::kWarning, text);
  __atomic_store_n(&control().restore_lock, 0, __ATOMIC_RELEASE);
}

void move_to(i64 fd, const abi::RestoreStep& step, i32 number) {
  if (fd == number) return;
  i64 r = sys(kSysDup3, fd, number, step.cloexec ? kCloexec : 0);
  if (r != number) fail(at<char>(step.text), r);
  sys(kSysClose, fd);
}

void take(const abi::RestoreStep& step) {
  u64 args[6];
  for (u32 i = 0; i < 6; ++i) args[i] = step.args[i] + (step.in_plan >> i & 1 ? abi::kRestoreAddr : 0);
  i32 two[2] = {-1, -1};
  if (step.outcome == abi::kStepMakesTwo) args[step.expected] = (u64)two;
  i64 r;
  for (u32 round = 0;; ++round) {
    r = raw_syscall(step.nr, args[0], args[1], args[2], args[3], args[4], args[5]);
    if (r == -kEINTR) continue;
    if (step.outcome != abi::kStepPidfd || r != -kESRCH || round == kBirthRounds) break;
    i64 ts[2] = {0, 100'000};
    sys(kSysNanosleep, ts, 0);
  }
  const char* what = at<char>(step.text);
  if (step.outcome == abi::kStepMay) return;
  if (step.outcome == abi::kStepShould && is_error(r)) return tell_lost(what, r);
  if (is_error(r) || (step.outcome == abi::kStepExactly && r != step.expected)) fail(what, r);
  if (step.outcome == abi::kStepMakes || step.outcome == abi::kStepPidfd) move_to(r, step, step.makes[0]);
  if (step.outcome != abi::kStepMakesTwo) return;
  // The numbers are above whatever is free: the one is never the other's.
  move_to(two[0], step, step.makes[0]);
  move_to(two[1], step, step.makes[1]);
}

void take_all(u64 steps, u32 count) {
  for (u32 i = 0; i < count; ++i) take(at<abi::RestoreStep>(steps)[i]);
}

}  // namespace

void make_files(const abi::RestorePlan& plan) { take_all(plan.steps, plan.step_count); }

void place_descriptors(const abi::RestoreProcess& p) {
  const abi::RestorePlan& plan = *at<abi::RestorePlan>(0);
  const abi::RestoreDescriptor* descriptors = at<abi::RestoreDescriptor>(p.descriptors);
  for (u32 i = 0; i < p.descriptor_count; ++i) {
    const abi::RestoreDescriptor& d = descriptors[i];
    i64 r = sys(kSysDup3, d.number, d.fd, d.cloexec ? kCloexec : 0);
    if (r != d.fd) fail("a descriptor cannot have the number that it had", r);
  }
  const u64 own = (u64)control().guest_fd, first = (u64)plan.first_number;
  if (first < own) sys(kSysCloseRange, first, own - 1, 0);
  sys(kSysCloseRange, first > own ? first : own + 1, ~0u, 0);
  take_all(p.steps, p.step_count);
}

void note_descriptors(Process& process, const abi::RestoreProcess& p) {
  // Cookies are those of the recording's sockets, and a plain recording does not keep kinds.
  fill_bytes(process.cookies, 0, sizeof process.cookies);
  fill_bytes(process.fd_kind, kFdUnknown, sizeof process.fd_kind);
  copy_bytes(&process.timers, at<Timers>(p.timers), sizeof process.timers);
  const abi::RestoreDescriptor* descriptors = at<abi::RestoreDescriptor>(p.descriptors);
  for (u32 i = 0; i < p.descriptor_count; ++i)
    if (descriptors[i].pipe && (u32)descriptors[i].fd < kFdFlags) process.fd_kind[descriptors[i].fd] = kFdPipe;
}

}  // namespace understudy
