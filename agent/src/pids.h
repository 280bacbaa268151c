// Replay in a PID namespace (abi::kFlagPidNamespace): the group's processes are real ones. Each thread and process has the number that
// it had when it was recorded and its true parent; execve, exit and wait are carried out. So a replica can go on as the original:
// what it has been told about itself and its children stays true.
//
// Must not: decide results. They come from the journal; what the kernel says here is only compared.
#pragma once
#include "marshal.h"
#include "thread.h"

namespace understudy {

inline bool true_processes() { return !recording() && (control().flags & abi::kFlagPidNamespace); }

// The next thread or process that the caller makes gets this number. The caller has the baton.
void make_next_pid(i64 pid);
// The journal has it that a child was waited for: it is, really.
void reap_again(Thread* t, const Call& c, i64 ret);
// record: the same, noted for a checkpoint: whoever has ended and was not waited for is part of it.
void note_waited(const Call& c, i64 ret);
// setsid, setpgid, what prctl says about children, and signals sent or taken by a call.
void follow_process_call(Thread* t, const Call& c, i64 ret);
// A signal of this number is being replayed: one that the kernel holds for the same reason must not come again.
void take_back_signal(int sig);
// The guest has another handler for a signal: one that the kernel holds from when it was ignored is gone.
void follow_disposition(Thread* t, int sig, const SigAction& before);
// In a rebuilt image: what the kernel says of it (/proc/PID/comm, cmdline, exe), as far as that is allowed. `sp`: where its stack began,
// `stack_end`: where it ends.
void name_process(u64 sp, u64 stack_end);
// Each process, when the group has gone live: who was to be killed and is not, is.
void kill_doomed();
// Becomes the stub, which starts the agent in a fresh image; the caller has the journal's result already.
[[noreturn]] void exec_again(Thread* t);
// In that fresh image: what exec_again left.
void resume_after_exec(Thread* t);

}  // namespace understudy
