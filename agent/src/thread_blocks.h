// The agent's own memory for each thread: blocks at fixed places (thread.h), mapped when they are first needed and used again when their
// thread has ended.
//
// Invariants:
//  - Indices below blocks_high() are mapped in this address space, all others are not.
//
// Must not: be asked by two threads at once. Who allocates has the baton, or the turn.
#pragma once
#include "ring.h"

namespace understudy {

u32 blocks_high();
inline Thread* block(u64 index) { return (Thread*)(abi::kThreadsAddr + index * kThreadBlock); }
// A fork or an execve has left `t` alone in this address space: nobody uses the other blocks.
void forget_other_blocks(const Thread* t);

inline abi::ThreadSlot& slot_of(u32 gtid) { return control().threads[gtid % abi::kMaxThreads]; }

}  // namespace understudy
