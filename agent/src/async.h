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
void step_over(Thread* t);
void deliver_fault(Thread* t);

// record: before a thread is preempted inside its code, one iteration of the loop that it may be in is single-stepped, to
// learn which memory words change with it. start_probe prepares (the caller sets the trap flag); probe_step is called at each
// step and returns true when enough has been seen.
void start_probe(Thread* t, u64 rip, u64 rsp);
bool probe_step(Thread* t, u64 rip);

}  // namespace understudy
