// Replay from a checkpoint: the group's processes, memory and threads are made again as they were at a position of the journal, and
// go on with the event behind it. What is made is in the plan (abi::RestorePlan), which the host has written.
//
// Invariants:
//  - A thread of a checkpoint stands at a call of which the journal has no event yet (it makes the call again), at a position that a
//    PREEMPT event describes, or before its first instruction. So nothing of the agent's stacks has to be kept.
//  - Nobody runs guest code before all threads are there.
//
// Must not: read the guest's descriptors or anything else of the recording's machine. The plan and the journal are all there is.
#pragma once
#include "thread.h"

namespace understudy {

[[noreturn]] void restore_group();            // the first process, on the boot stack
[[noreturn]] void restore_thread(Thread* t);  // each of its threads

}  // namespace understudy
