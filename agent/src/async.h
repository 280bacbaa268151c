// Events that happen inside guest code rather than at a call: preemption of a thread that computes or spins, signals to
// it, and instructions that trap. A PREEMPT event describes the position so that replay finds it again without hardware
// counters: program counter, registers, and the memory words that tell one iteration of a loop from the next.
#pragma once
#include "ring.h"

namespace understudy {

enum AsyncReason : u32 {
  kAsyncNone = 0,
  kAsyncKick = 1,      // record: the host wants this thread to make an event
  kAsyncFault = 2,     // a synchronous signal of the guest's own
  kAsyncPosition = 3,  // replay: the recorded position is reached
  kAsyncInsn = 4,      // rdtsc or the like trapped
  kAsyncMaybe = 5,     // replay: the breakpoint was hit; compare the state
  kAsyncRetry = 6,     // replay: stepped over the breakpoint; go on
};

AsyncReason classify_trap(Thread* t, int sig, const SigInfo* info, u64 rip);
bool position_matches(Thread* t);
// Goes on after a visit that is not the one: where, and whether the trap flag must be set for one step.
bool step_over(Thread* t, u64* rip);
void deliver_fault(Thread* t);
// replay: a thread that was interrupted in its code, when its PREEMPT event is behind it and it is its turn.
[[noreturn]] void go_on_in_code(Thread* t);

// probe.cc (record). start_probe when a thread is to be preempted in its code (the caller sets the trap flag); probe_step at
// each step and says when enough has been seen, or that nothing will come of it this time; append_preempt writes the event for t->regs.
enum ProbeStep : u32 { kProbeOn, kProbeDone, kProbeGivenUp };
void start_probe(Thread* t, u64 rip);
ProbeStep probe_step(Thread* t, const GuestRegs& regs);
// A string instruction with a repeat prefix stands there. In the middle of one no breakpoint stops a replay.
bool repeats_at(u64 rip);
void append_preempt(Thread* t);
bool is_known_spin(u64 rip);  // in a loop in which a thread of this address space was found spinning

// Elements of PREEMPT's words and blocks.
struct Word {
  u64 addr, value;
};
struct Block {
  u64 addr, len, sum;
};
inline u64 sum_of(u64 addr, u64 len) {
  u64 crc = 0;
  for (u64 i = 0; i < len; i += 8) crc = __builtin_ia32_crc32di(crc, *(const u64*)(addr + i));
  return crc;
}

}  // namespace understudy
