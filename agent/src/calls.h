// System calls that the agent treats in ways of its own; everything else goes through the table (core.cc).
//
// A special handler is called in both modes with t->call filled. It does what the call means (record) or re-does its
// local effect (replay) and returns the result for the guest, having appended or consumed the call's event itself.
#pragma once
#include "baton.h"

namespace understudy {

// The event of the current call. record: appends [nr, argsum, ret, extra...]. replay: consumes it, checks it against the
// call, returns the recorded result and fills extra.
struct Settled {
  i64 ret;
  u32 extras;
  i64 extra[4];
};
void append_call(Thread* t, i64 ret, u32 extras = 0, const i64* extra = nullptr);
void expect_call(Thread* t, Settled& s);

// A result that the agent computes itself, the same in both modes: recorded, and checked in replay.
i64 settle(Thread* t, i64 ret);

using SpecialHandler = i64 (*)(Thread*);
SpecialHandler special_handler(const Call& call);

// memory.cc
i64 call_mmap(Thread* t);
i64 call_munmap(Thread* t);
i64 call_mprotect(Thread* t);
i64 call_mremap(Thread* t);
i64 call_madvise(Thread* t);
i64 call_brk(Thread* t);
i64 call_shmat(Thread* t);
i64 call_shmdt(Thread* t);
i64 call_process_vm_writev(Thread* t);
// signal_calls.cc
i64 call_rt_sigaction(Thread* t);
i64 call_rt_sigprocmask(Thread* t);
i64 call_rt_sigreturn(Thread* t);
i64 call_sigaltstack(Thread* t);
i64 call_rt_sigsuspend(Thread* t);
i64 call_rt_sigpending(Thread* t);
i64 call_rt_sigtimedwait(Thread* t);
bool sends_stop(const Call& call);
i64 call_stop(Thread* t);
i64 call_with_mask(Thread* t);  // ppoll, pselect6, io_pgetevents, epoll_pwait, epoll_pwait2
// clone.cc
i64 call_clone(Thread* t);
i64 call_clone3(Thread* t);
i64 call_fork(Thread* t);
i64 call_vfork(Thread* t);
// exec.cc
i64 call_execve(Thread* t);
// exit.cc
i64 call_exit(Thread* t);
i64 call_exit_group(Thread* t);
i64 call_set_tid_address(Thread* t);
i64 call_set_robust_list(Thread* t);
i64 call_get_robust_list(Thread* t);
// special.cc
i64 call_arch_prctl(Thread* t);
i64 call_prctl(Thread* t);
i64 call_refused(Thread* t);      // ENOSYS in both modes
i64 call_interrupted(Thread* t);  // EINTR in both modes
i64 call_not_permitted(Thread* t);
i64 call_close(Thread* t);
i64 call_close_range(Thread* t);
i64 call_dup(Thread* t);  // dup2, dup3 onto the agent's descriptor
i64 call_credentials(Thread* t);

// futex.cc
bool is_pi_futex(const Call& call);
i64 call_pi_futex(Thread* t);

// core.cc: the event of a call whose result the agent knows, with the outputs that the table names. Both return the result.
i64 record_result(Thread* t, const Call& call, i64 ret);
i64 replay_result(Thread* t, const Call& call);
// core.cc: the table-driven way. Returns the result for the guest.
i64 generic_call(Thread* t, const Call& effective);
// record: the arguments of a call that is made again after an interruption, with t->began_ns set.
void shorten_wait(Thread* t, u32 nr, u64* args);
// Leaves a call with its result: delivers what is pending (record) or what the journal has next (replay).
[[noreturn]] void leave_call(Thread* t, i64 ret);
// After an event in replay: the next one may have to happen inside guest code.
void prepare_async(Thread* t);

// What the interruptible calls return when a pending signal kept them from being made (ERESTART_RESTARTBLOCK: the kernel
// never shows it to user space).
inline constexpr i64 kNotMade = -516;
extern "C" [[noreturn]] void agent_on_syscall(Thread* t);
extern "C" i64 agent_interruptible(u64 nr, const u64* args);
extern "C" i64 agent_copy_safe(void* to, const void* from, u64 n);

}  // namespace understudy
