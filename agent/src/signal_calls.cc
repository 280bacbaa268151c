// The system calls about signals. The agent keeps actions, masks and alternate stacks itself, so most results are computed, the same in
// both modes; the kernel is told when recording, so that it sends what the guest wants and no more.
//
// Invariants:
//  - The kernel's mask is the guest's without kReservedMask, also while a call waits with a mask of its own.
//  - What a change of the mask lets through is delivered when that call is left, before the guest's next instruction.
//
// Must not: deliver from the middle of a call whose event is not yet written (kBeforeCall is for calls that were not made).
#include "baton.h"
#include "calls.h"
#include "held_signals.h"
#include "pids.h"
#include "process.h"
#include "signal_frame.h"
#include "signals.h"

namespace understudy {

i64 call_rt_sigaction(Thread* t) {
  const u64* a = t->call.args;
  int sig = (int)a[0];
  if (sig < 1 || sig > kSignals || a[3] != 8) return settle(t, -kEINVAL);
  SigAction& mine = t->process->actions[sig];
  SigAction wanted, old = mine;
  if (a[1]) {
    if (sig == kSigKill || sig == kSigStop) return settle(t, -kEINVAL);
    if (agent_copy_safe(&wanted, (void*)a[1], sizeof wanted)) return settle(t, -kEFAULT);
    wanted.mask &= ~kUnblockable;
    mine = wanted;
    if (recording()) install_for(t, sig);
    else if (true_processes()) follow_disposition(t, sig, old);
    SigInfo dropped;
    if (wanted.handler == 1) take_held(t, signal_bit(sig), dropped);
  }
  if (a[2] && agent_copy_safe((void*)a[2], &old, sizeof old)) return settle(t, -kEFAULT);
  return settle(t, 0);
}

i64 call_rt_sigprocmask(Thread* t) {
  const u64* a = t->call.args;
  if (a[3] != 8) return settle(t, -kEINVAL);
  u64 old = t->guest_mask, set;
  if (a[1]) {
    if (agent_copy_safe(&set, (void*)a[1], 8)) return settle(t, -kEFAULT);
    set &= ~kUnblockable;
    u64 now = (i32)a[0] == 0 ? old | set : (i32)a[0] == 1 ? old & ~set : set;
    if ((u32)a[0] > 2) return settle(t, -kEINVAL);
    t->guest_mask = now;
    if (recording() && !t->pending_sig && now != old) set_kernel_mask(now);
    if (recording()) release_held(t, now);
  }
  if (a[2] && agent_copy_safe((void*)a[2], &old, 8)) return settle(t, -kEFAULT);
  return settle(t, 0);
}

i64 call_sigaltstack(Thread* t) {
  const u64* a = t->call.args;
  bool on = t->alt_size && t->regs.rsp - t->alt_sp < t->alt_size;
  StackT old{t->alt_sp,
             (i32)(!t->alt_size ? (u32)kSsDisable
                   : on         ? t->alt_flags | kSsOnstack
                                : t->alt_flags),
             0, t->alt_size},
      now;
  if (a[0]) {
    if (agent_copy_safe(&now, (void*)a[0], sizeof now)) return settle(t, -kEFAULT);
    if (on) return settle(t, -kEPERM);
    u32 mode = (u32)now.flags & ~(u32)kSsAutodisarm;
    if (mode == kSsDisable) {
      t->alt_sp = t->alt_size = 0;
      t->alt_flags = 0;
    } else if (mode == 0 || mode == kSsOnstack) {
      if (now.size < 2048) return settle(t, -kENOMEM);
      t->alt_sp = now.sp;
      t->alt_size = now.size;
      t->alt_flags = (u32)now.flags & (u32)kSsAutodisarm;
    } else {
      return settle(t, -kEINVAL);
    }
  }
  if (a[1] && agent_copy_safe((void*)a[1], &old, sizeof old)) return settle(t, -kEFAULT);
  return settle(t, 0);
}

i64 call_rt_sigreturn(Thread* t) {
  Ucontext u;
  if (agent_copy_safe(&u, (void*)t->regs.rsp, sizeof u)) end_process(t, 128 + kSigSegv, kSigSegv);
  settle(t, 0);
  if (u.fpstate) {
    u32* software = (u32*)(u.fpstate + 464);
    u64 features = software[0] == kFpMagic1 ? *(u64*)(software + 2) & xsave_features() : 3;
    asm volatile("xrstor64 (%0)" ::"r"(u.fpstate), "a"((u32)features), "d"((u32)(features >> 32)) : "memory");
  }
  context_to_regs(u, t->regs);
  flags_to_image(t, u.eflags);
  t->guest_mask = u.sigmask & ~kUnblockable;
  t->alt_sp = u.stack.flags & kSsDisable ? 0 : u.stack.sp;
  t->alt_size = u.stack.flags & kSsDisable ? 0 : u.stack.size;
  t->alt_flags = (u32)u.stack.flags & (u32)kSsAutodisarm;
  t->via_sud = 0;
  if (recording()) {
    if (!t->pending_sig) set_kernel_mask(t->guest_mask);
    release_held(t, t->guest_mask);
    if (t->pending_sig) deliver_pending(t, kAfterCall);
  } else {
    Event e;
    peek_event(t, e);
    if (e.kind == kEvSignal) {
      if ((u32)e.integer() == kAfterCall) deliver_recorded(t, e, kAfterCall);
    } else if (e.kind == kEvPreempt) {
      prepare_async(t);
    } else if (e.kind == kEvNone) {
      deliver_due(t, 0);
    }
  }
  agent_return(t);
}

// The call's own mask lets a held signal through: the call is not made, as the kernel would not wait in it either.
bool interrupted_by_held(Thread* t) {
  u32 before = t->pending_sig;
  release_held(t, t->suspend_mask);
  return t->pending_sig != before;
}

i64 call_rt_sigpending(Thread* t) {
  const u64* a = t->call.args;
  if (!recording()) return replay_result(t, t->call);
  before_call(t->call, t->scratch);
  u64 set = 0;
  i64 ret = sys(kSysRtSigpending, &set, a[1]);
  set |= held_signals(t) & t->guest_mask;
  if (ret == 0 && agent_copy_safe((void*)a[0], &set, a[1])) ret = -kEFAULT;
  return record_result(t, t->call, ret);
}

i64 call_rt_sigtimedwait(Thread* t) {
  const Call& c = t->call;
  u64 set;
  if (!recording() || c.args[3] != 8 || agent_copy_safe(&set, (void*)c.args[0], 8) || !(set & kReservedMask))
    return generic_call(t, c);
  before_call(c, t->scratch);
  for (;;) {
    SigInfo info;
    if (take_held(t, set, info)) {
      i64 ret = info.signo;
      if (c.args[1] && agent_copy_safe((void*)c.args[1], &info, sizeof info)) ret = -kEFAULT;
      return record_result(t, c, ret);
    }
    bool others = group_has_others();
    if (others) baton_release(t);
    u64 args[6];
    copy_bytes(args, c.args, sizeof args);
    if (US_UNLIKELY(t->began_ns)) shorten_wait(t, c.nr, args);
    i64 ret = agent_interruptible(c.nr, args);
    if (others) baton_acquire(t);
    // What the guest blocks is held when this returns.
    if (ret == kNotMade || (ret == -kEINTR && pending_restarts(t))) deliver_pending(t, kBeforeCall);
    if (ret == kNotMade || (ret == -kEINTR && !t->pending_sig)) continue;
    return record_result(t, c, ret);
  }
}

// The sender of a stop signal may be stopped itself in this very call, so others may take the baton meanwhile; but as long as
// it goes on, nobody does: who is to be stopped must not be stopped with the baton in its hand.
i64 call_stop(Thread* t) {
  if (!recording()) return replay_result(t, t->call);
  const u64* a = t->call.args;
  before_call(t->call, t->scratch);
  bool others = group_has_others();
  if (others) baton_lend(t);
  i64 ret = raw_syscall(t->call.nr, a[0], a[1], a[2], a[3], a[4], a[5]);
  if (others) baton_reclaim(t);
  return record_result(t, t->call, ret);
}

// Calls that send the signal that their argument tells.
bool sends_stop(const Call& c) {
  return stops_by_default((i32)c.args[c.nr == kSysTgkill || c.nr == kSysRtTgsigqueueinfo ? 2 : 1]);
}

i64 call_rt_sigsuspend(Thread* t) {
  u64 mask;
  if (t->call.args[1] != 8) return settle(t, -kEINVAL);
  if (agent_copy_safe(&mask, (void*)t->call.args[0], 8)) return settle(t, -kEFAULT);
  t->suspended = 1;
  t->suspend_mask = mask & ~kUnblockable;
  if (recording() && interrupted_by_held(t)) return record_result(t, t->call, -kEINTR);
  u64 kernel_mask = t->suspend_mask & ~kReservedMask;
  Call local = t->call;
  local.args[0] = (u64)&kernel_mask;
  i64 ret = generic_call(t, local);
  // In replay the delivery that follows needs suspend_mask; without one (truncated journal) it must not linger.
  return ret;
}

// ppoll(.., mask arg 3, size 4), pselect6 and io_pgetevents(.., {mask*, size}* arg 5), epoll_pwait(.., mask 4, size 5), epoll_pwait2 likewise
i64 call_with_mask(Thread* t) {
  Call local = t->call;
  u64 mask = 0, kernel_mask;
  struct {
    u64 ptr, len;
  } pair{0, 8};
  u64 at;
  bool paired = t->call.nr == kSysPselect6 || t->call.nr == kSysIoPgetevents;
  if (paired) {
    if (!t->call.args[5]) return generic_call(t, local);
    if (agent_copy_safe(&pair, (void*)t->call.args[5], sizeof pair)) return settle(t, -kEFAULT);
    at = pair.ptr;
  } else {
    at = t->call.args[t->call.nr == kSysPpoll ? 3 : 4];
  }
  if (!at) return generic_call(t, local);
  if (agent_copy_safe(&mask, (void*)at, 8)) return settle(t, -kEFAULT);
  t->suspended = 1;
  t->suspend_mask = mask & ~kUnblockable;
  if (recording() && interrupted_by_held(t)) {
    before_call(t->call, t->scratch);
    return record_result(t, t->call, -kEINTR);
  }
  kernel_mask = t->suspend_mask & ~kReservedMask;
  if (paired) {
    pair.ptr = (u64)&kernel_mask;
    local.args[5] = (u64)&pair;
  } else {
    local.args[t->call.nr == kSysPpoll ? 3 : 4] = (u64)&kernel_mask;
  }
  i64 ret = generic_call(t, local);
  if (ret != -kEINTR) t->suspended = 0;
  return ret;
}

}  // namespace understudy
