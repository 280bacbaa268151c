// execve and execveat. When recording the host is there at the exec stop and puts the agent into the new image; a replay rebuilds the
// image in place (image.cc), in a copy of the memory when a vfork's parent shares it.
//
// Invariants:
//  - The other threads of the process are gone before anything of the old image is taken away.
//  - Nobody handles SIGSYS between the exec and the agent's start in the new image, so it is blocked then.
//
// Must not: return after a recorded success.
#include "process.h"

#include "baton.h"
#include "calls.h"
#include "image.h"
#include "pids.h"
#include "report.h"
#include "shadow.h"
#include "signals.h"
#include "thread_blocks.h"

namespace understudy {

i64 call_execve(Thread* t) {
  abi::Control& c = control();
  const u64* a = t->call.args;
  bool at = t->call.nr == kSysExecveat;
  if (!recording()) {
    Settled s;
    expect_call(t, s);
    if (is_error(s.ret)) return s.ret;
    if (shadowing()) shadow_exec(t);
    if (true_processes()) exec_again(t);
    if (t->vforked) {
      // The parent's memory is shared: rebuild in a copy of it, under the same number in the group.
      i64 pid = sys(kSysClone, 0, 0, 0, 0, 0);
      if (pid != 0)
        for (;;) sys(kSysExit, 0);
      forget_other_blocks(t);
      sys(kSysSetTidAddress, &t->kernel_tid);
      arm_thread(t);
      t->vforked = 0;
    } else {
      c.processes[t->process->slot].dying = 1;
      for (auto& s2 : c.threads)
        if (s2.state == abi::kThreadLive && s2.process == t->process->slot && s2.gtid != t->gtid) {
          __atomic_fetch_add(&s2.turn, 1, __ATOMIC_SEQ_CST);
          sys(kSysFutex, &s2.turn, 1, 1, 0, 0, 0);
        }
      for (u32 i = 0; i < blocks_high(); ++i)
        while (block(i) != t && block(i)->in_use && __atomic_load_n(&block(i)->kernel_tid, __ATOMIC_ACQUIRE) != 0)
          sys(kSysSchedYield);
    }
    retire_other_threads(t);
    if (t->process != &t->own_process) {
      t->own_process = *t->process;
      t->process = &t->own_process;
    }
    adopt_slot(t, t->gtid, t->process->slot);
    begin_life(t);
    t->robust_list = t->clear_tid = t->alt_sp = t->alt_size = 0;
    t->child_tid = 0;
    t->alt_flags = 0;
    // In a plain replay which descriptors survive does not matter; only the standard ones are followed.
    replay_image(t);
  }

  // A call that will fail is not worth the launcher's attention; PATH searches make many of those.
  bool plausible = at || sys(kSysFaccessat, -100, a[0], 1 /* X_OK */, 0) == 0;
  if (!plausible) return settle(t, raw_syscall(t->call.nr, a[0], a[1], a[2], a[3], a[4], a[5]));
  block_all_signals();
  if (t->pending_sig) deliver_pending(t, kBeforeCall);
  c.exec_gtid = t->gtid;
  c.exec_process = t->process->slot;
  c.exec_nr = t->call.nr;
  c.exec_sum = arg_sum(t->call);
  c.exec_mask = t->guest_mask;
  // In the new image nobody handles SIGSYS until the agent has started there: a kick must not kill it.
  u64 mask = ~(kReservedMask & ~signal_bit(kSigSys));
  sys(kSysRtSigprocmask, 2, &mask, 0, 8);
  if (rpc(abi::kRpcExecBegin) != 0) {
    set_kernel_mask(t->guest_mask);
    return settle(t, -kENOMEM);
  }
  i64 ret = raw_syscall(t->call.nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  rpc(abi::kRpcExecFailed);
  set_kernel_mask(t->guest_mask);
  return settle(t, ret);
}

}  // namespace understudy
