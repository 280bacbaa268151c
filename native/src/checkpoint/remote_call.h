// System calls made by a thread of another process, on our behalf: the few that only it can make.
//
// Invariants:
//  - The thread is stopped by ptrace, by the calling thread, and stays so. Its registers are afterwards what they were: a call of its own
//    that the stop interrupted goes on or is made again, as if nothing had been.
//
// Must not: make calls that block, or that change what the guest can see.
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include "common.h"

namespace understudy::host::checkpoint {

// `instruction`: where a `syscall` instruction lies in its memory. With Syscall User Dispatch on, one in the agent's gate
// (abi::Entry::window_end, less 2): elsewhere the call would become a signal. The result, or a negative errno; -ESRCH when the thread is gone.
int64_t remote_call(pid_t tid, uint64_t instruction, uint64_t number, uint64_t a0 = 0, uint64_t a1 = 0,
                    uint64_t a2 = 0);

// A userfaultfd of that thread's address space, for a PageTracker; nothing of it stays in the process. Empty with errno.
UniqueFd make_userfault(pid_t tid, uint64_t instruction);

}  // namespace understudy::host::checkpoint
