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
bool trapped_instruction(Thread* t);  // executes the instruction at regs.rip if it is one that the agent answers

}  // namespace understudy
