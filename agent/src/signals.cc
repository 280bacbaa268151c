// Signal handling: see signals.h. Two parts: what the kernel calls (agent_signal_handler), and delivery to the guest. The system calls
// about signals, sigreturn among them, are in signal_calls.cc.
//
// The handler runs on the thread's alternate stack and does as little as possible: it notes the signal and lets the
// interrupted code go on to the next agent event, or, for faults and kicks inside guest code, moves the thread to
// agent_async_entry in normal context.
#include "signals.h"

#include "async.h"
#include "baton.h"
#include "calls.h"
#include "held_signals.h"
#include "image.h"
#include "live.h"
#include "parts.h"
#include "pids.h"
#include "process.h"
#include "report.h"
#include "shadow.h"
#include "signal_frame.h"
#include "timers.h"

namespace understudy {

extern "C" {
extern char agent_text_begin[], agent_text_end[], agent_sud_entry[], agent_async_entry[], agent_restorer[];
extern char agent_window_begin[], agent_window_end[], agent_window_abort[];
extern char agent_window3_begin[], agent_window3_end[], agent_window3_abort[];
extern char agent_window2_begin[], agent_window2_end[], agent_window2_abort[];
extern char agent_copy_safe_insn[], agent_copy_safe_fixup[];
}

u64 current_reissue(const Thread* t);

namespace {

constexpr u64 kAgentSaFlags = kSaSiginfo | kSaOnstack | kSaRestorer | kSaNodefer;
// A fault in the handler is the agent's own; it must be reported rather than kill without a word.
constexpr u64 kHandlerMask = ~(signal_bit(kSigSegv) | signal_bit(kSigBus));
constexpr u32 kArchX8664 = 0xc000003e;
constexpr i32 kTrapInt3 = 0x80;  // SI_KERNEL

u32 xsave_size() {
  static u32 size;  // the same in every process on one machine; computed once
  if (!size) {
    u32 a = 0xd, b, c = 0, d;
    asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    size = b;
  }
  return size;
}

bool dumps_core(int sig) {
  return sig == 3 || sig == kSigIll || sig == kSigTrap || sig == kSigAbrt || sig == kSigBus || sig == kSigFpe ||
         sig == kSigSegv || sig == 24 || sig == 25 || sig == kSigSys;
}
bool is_sync_signal(int sig) {
  return sig == kSigSegv || sig == kSigBus || sig == kSigFpe || sig == kSigIll || sig == kSigTrap;
}

void kernel_sigaction(int sig, u64 handler, u64 flags, u64 mask) {
  SigAction a{handler, flags | kSaRestorer, (u64)agent_restorer, mask};
  sys(kSysRtSigaction, sig, &a, 0, 8);
}

extern "C" void agent_signal_handler(int sig, SigInfo* info, Ucontext* u);

// replay: the breakpoint that is armed for the next position stands there.
bool is_armed(const Thread* t, u64 addr) {
  return t->break_on && addr == (t->stub_addr ? t->stub_trap : t->break_addr);
}

void move_to_async(Thread* t, Ucontext* u, AsyncReason why) {
  context_to_regs(*u, t->regs);
  flags_to_image(t, u->eflags);
  t->async_reason = why;
  u->rip = (u64)agent_async_entry;
  u->eflags &= ~0x500ull;       // neither TF nor DF may be set in the agent
  u->sigmask = ~kReservedMask;  // no other signal until the agent has dealt with this one
}

void note_signal(Thread* t, int sig, SigInfo* info, Ucontext* u) {
  copy_bytes(&t->pending, info, sizeof t->pending);
  t->pending.pad = 0;
  t->pending_sig = (u32)sig;
  u->sigmask = ~kReservedMask;  // one at a time; the kernel keeps the others
  u64 rip = u->rip;
  if (rip >= (u64)agent_window_begin && rip < (u64)agent_window_end) u->rip = (u64)agent_window_abort;
  if (rip >= (u64)agent_window3_begin && rip < (u64)agent_window3_end) u->rip = (u64)agent_window3_abort;
  if (rip >= (u64)agent_window2_begin && rip < (u64)agent_window2_end) u->rip = (u64)agent_window2_abort;
  // Guest code, or an agent that is past its last look at pending signals: it will make an event soon, or not; if not, the host
  // kicks it and the signal is delivered in the code.
  ask_for_kick(t->gtid);
}

extern "C" void agent_signal_handler(int sig, SigInfo* info, Ucontext* u) {
  Thread* t = current();
  // By its stack, too: a clock read calls the kernel's vDSO, which lies elsewhere. Taken for guest code, it would be stepped through
  // and left by way of the agent's entry, at the top of the very stack that it returns on.
  bool inside = in_agent(u->rip) || in_agent(u->rsp) || in_trampoline(u->rip);
  if (sig == kSigSys && info->code == 2) {  // SYS_USER_DISPATCH
    u32 arch = (u32)(info->rest[1] >> 32);
    if (arch != kArchX8664) {
      u->rax = (u64)-kENOSYS;  // int 0x80: not a call of this architecture (docs/LIMITATIONS.md)
      return;
    }
    if (in_agent(u->rsp)) {  // the kernel's vDSO, where it has no clock that it can read by itself
      u->rax = (u64)raw_syscall(u->rax, u->rdi, u->rsi, u->rdx, u->r10, u->r8, u->r9);
      return;
    }
    control().stat_sud_traps++;
    u->eflags &= ~0x100ull;  // a probe that was stepping ends at a call
    t->probing = 0;
    t->sud_rip = u->rip;
    t->via_sud = 1;
    u->rip = (u64)agent_sud_entry;
    return;
  }
  if (sig == kSigSys && info->code == -1 &&
      ((i64)info->rest[1] == abi::kKickMagic || (i64)info->rest[1] == abi::kKickHint)) {
    if ((i64)info->rest[1] == abi::kKickHint && !is_known_spin(u->rip)) return;
    if (recording() && t->draining) {
      if (!inside && !(u->eflags & 0x400)) move_to_async(t, u, kAsyncKick);
      return;
    }
    // Guest code that makes no event. If somebody needs one, find out where this is before giving way.
    if (!inside && recording() && !t->probing && !(u->eflags & 0x400) && (t->pending_sig || baton_wanted()) &&
        !repeats_at(u->rip)) {
      start_probe(t, u->rip);
      u->eflags |= 0x100;
      u->sigmask = ~kReservedMask;
    }
    return;
  }
  if (sig == kSigTrap && t->probing && info->code == 2 /* TRAP_TRACE */) {
    GuestRegs regs;
    context_to_regs(*u, regs);
    ProbeStep step = inside ? kProbeGivenUp : probe_step(t, regs);
    if (step == kProbeOn) return;
    if (step == kProbeGivenUp) {  // among others because the code makes a call after all, which is an event
      u->eflags &= ~0x100ull;
      t->probing = 0;
      if (!t->pending_sig) u->sigmask = t->guest_mask & ~kReservedMask;
    } else {
      t->probing = 0;
      move_to_async(t, u, kAsyncKick);
    }
    return;
  }
  if (info->code > 0 && is_sync_signal(sig)) {
    if (inside) {
      if (u->rip == (u64)agent_copy_safe_insn) {
        u->rip = (u64)agent_copy_safe_fixup;
        return;
      }
      if (u64 fixup = peek_fixup(u->rip)) {
        u->rip = fixup;
        return;
      }
      if (!in_trampoline(u->rip)) {
        Text text;
        text.str("fault in the agent: signal ").dec(sig).str(" at ").hex(u->rip).str(", address ").hex(info->rest[0]);
        text.str(", call ").dec(t->call.nr).str(" event ").dec((i64)control().ring.head_seq);
        text.buf[text.len] = 0;
        assert_failed(text.buf, "guest memory", 0);
      }
    }
    if (u64 to = sig == kSigTrap && info->code == kTrapInt3 && !is_armed(t, u->rip - 1) ? trap_trampoline(u->rip - 1)
                                                                                        : 0) {
      u->rip = to;
      return;
    }
    AsyncReason why = classify_trap(t, sig, info, u->rip);
    if (why == kAsyncRetry) {  // a position that is not yet the one: go on (async.cc has arranged for the next stop)
      u->rip = t->retry_rip;
      u->eflags = t->retry_step ? u->eflags | 0x100 : u->eflags & ~0x100ull;
      return;
    }
    if (why == kAsyncMaybe) {
      context_to_regs(*u, t->regs);
      t->regs.rip = t->retry_rip;
      if (!position_matches(t)) {
        if (step_over(t, &u->rip)) u->eflags |= 0x100;
        return;
      }
      u->rip = t->regs.rip;
      move_to_async(t, u, kAsyncPosition);
      return;
    }
    copy_bytes(&t->pending, info, sizeof t->pending);
    t->pending.pad = 0;
    t->fault_err = u->err;
    t->fault_trapno = u->trapno;
    t->fault_cr2 = u->cr2;
    move_to_async(t, u, why);
    return;
  }
  if (!recording()) return;  // the replay's own surroundings (a terminal's hang-up …) are not the guest's
  note_signal(t, sig, info, u);
}

// A signal that the guest has blocked by the time it could be delivered: give it back to the kernel, which keeps it.
void requeue(Thread* t) {
  SigInfo info;
  copy_bytes(&info, &t->pending, sizeof info);
  int sig = (int)t->pending_sig;
  if (signal_bit(sig) & kReservedMask) {
    t->pending_sig = 0;
    info.signo = sig;
    hold(t, info);
    set_kernel_mask(t->guest_mask);
    return;
  }
  t->pending_sig = 0;
  set_kernel_mask(t->guest_mask);
  if (info.code > 0 || info.code == -6) info.code = -1;    // only the kernel may send those codes; keeps the rest
  sys(297, sys(kSysGetpid), sys(kSysGettid), sig, &info);  // rt_tgsigqueueinfo
}

void perform_delivery(Thread* t, int sig, const SigInfo& info, SignalPlace place) __attribute__((noreturn));

void perform_delivery(Thread* t, int sig, const SigInfo& info, SignalPlace place) {
  Process& process = *t->process;
  SigAction action = process.actions[sig];
  if (action.handler <= 1) end_process(t, 128 + sig, sig);  // default action: death (ignored ones never get here)

  u64 sp = t->regs.rsp - 128;  // red zone
  if ((action.flags & kSaOnstack) && t->alt_size && !(t->regs.rsp - t->alt_sp < t->alt_size))
    sp = t->alt_sp + t->alt_size;
  u32 fp_bytes = xsave_size();
  u64 fp = (sp - fp_bytes - 4) & ~63ull;
  u64 frame_at = ((fp - sizeof(Frame)) & ~15ull) - 8;
  Frame* f = (Frame*)frame_at;

  // The frame's memory may not be there (stack overflow): then the guest dies of SIGSEGV, as it would natively.
  static const u8 zeros[sizeof(Frame)] = {};
  if (agent_copy_safe(f, zeros, sizeof zeros) != 0) end_process(t, 128 + kSigSegv, kSigSegv);
  for (u64 at = fp; at < fp + fp_bytes + 4; at += 64) {
    if (agent_copy_safe((void*)at, zeros, 64 < fp + fp_bytes + 4 - at ? 64 : fp + fp_bytes + 4 - at) != 0)
      end_process(t, 128 + kSigSegv, kSigSegv);
  }
  u64 features = xsave_features();
  asm volatile("xsave64 (%0)" ::"r"(fp), "a"((u32)features), "d"((u32)(features >> 32)) : "memory");
  // Whether the processor calls a component with initial contents "in use" depends on its past; the contents do not.
  *(u64*)(fp + 512) = features;
  u32* software = (u32*)(fp + 464);
  software[0] = kFpMagic1;
  software[1] = fp_bytes + 4;
  *(u64*)(software + 2) = features;
  software[4] = fp_bytes;
  *(u32*)(fp + fp_bytes) = kFpMagic2;

  f->return_address = action.restorer;
  f->uc.flags = 7;  // UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS
  f->uc.stack = {t->alt_sp, (i32)(t->alt_size ? t->alt_flags : (u32)kSsDisable), 0, t->alt_size};
  t->regs.eflags = place == kInCode || place == kFault ? t->regs.eflags & ~0x100ull : image_to_flags(t);
  regs_to_context(t->regs, f->uc);
  f->uc.cs = 0x33;
  f->uc.ss = 0x2b;
  f->uc.fpstate = fp;
  u64 saved = t->guest_mask;
  f->uc.sigmask = saved;
  f->uc.oldmask = saved;
  if (place == kFault) {
    f->uc.err = t->fault_err;
    f->uc.trapno = t->fault_trapno;
    f->uc.cr2 = t->fault_cr2;
  }
  copy_bytes(&f->info, &info, sizeof info);

  u64 in_force = t->suspended ? t->suspend_mask : t->guest_mask;
  t->suspended = 0;
  t->keep_scratch = 0;
  t->guest_mask = (in_force | action.mask | (action.flags & kSaNodefer ? 0 : signal_bit(sig))) & ~kUnblockable;
  if ((u32)t->alt_flags & (u32)kSsAutodisarm) t->alt_size = 0, t->alt_sp = 0, t->alt_flags = 0;
  if (action.flags & kSaResethand) {
    process.actions[sig].handler = 0;
    process.actions[sig].flags &= ~kSaSiginfo;
    if (recording()) install_for(t, sig);
  }
  if (recording()) set_kernel_mask(t->guest_mask);

  t->regs.rdi = (u64)sig;
  t->regs.rsi = (u64)&f->info;
  t->regs.rdx = (u64)&f->uc;
  t->regs.rax = 0;
  t->regs.rip = action.handler;
  t->regs.rsp = frame_at;
  t->regs.rcx = action.handler;
  t->regs.r11 = 0x246;
  flags_to_image(t, 0x202);
  t->via_sud = 0;
  if (!recording()) {
    Event e;
    peek_event(t, e);
    if (e.kind == kEvPreempt) prepare_async(t);
  }
  agent_return(t);
}

// The kernel drops what is pending of a signal that is set to be ignored, and standard actions ignore some. Whoever blocks it may wait for it
// all the same, with a signalfd or sigwait: where the guest has not set it just now, it is taken before, and sent again. Not others: what
// was sent to a thread is sent to the process then, and what is many comes in another order.
template <class Set>
void keeping_pending(int sig, Set set) {
  constexpr u32 kKept = 8;  // of a realtime signal
  SigInfo kept[kKept];
  u32 count = 0;
  u64 pending = 0;
  sys(kSysRtSigpending, &pending, 8);
  const u64 wanted = pending & signal_bit(sig) & ~kReservedMask, now[2] = {};
  if (wanted)
    while (count < kKept && sys(kSysRtSigtimedwait, &wanted, &kept[count], now, 8) == sig) ++count;
  set();
  for (u32 i = 0; i < count; ++i) sys(kSysRtSigqueueinfo, sys(kSysGetpid), sig, &kept[i]);
}

}  // namespace

void install_for(Thread* t, int sig) {
  if (sig == kSigKill || sig == kSigStop) return;
  const SigAction& a = t->process->actions[sig];
  u64 keep = a.flags & 3;  // SA_NOCLDSTOP, SA_NOCLDWAIT
  bool must = signal_bit(sig) & kReservedMask;
  if (!must && a.handler == 1) return kernel_sigaction(sig, 1, keep, 0);
  if (!must && a.handler == 0 && (ignores_by_default(sig) || stops_by_default(sig)))
    return kernel_sigaction(sig, 0, keep, 0);
  kernel_sigaction(sig, (u64)agent_signal_handler, kAgentSaFlags | keep, kHandlerMask);
}

bool ignores_by_default(int sig) { return sig == kSigChld || sig == kSigUrg || sig == kSigWinch || sig == kSigCont; }
bool is_ignored(const SigAction& a, int sig) { return a.handler == 1 || (a.handler == 0 && ignores_by_default(sig)); }

void set_kernel_mask(u64 guest_mask) {
  u64 mask = guest_mask & ~kReservedMask;
  sys(kSysRtSigprocmask, 2, &mask, 0, 8);
}
void block_all_signals() {
  u64 mask = ~kReservedMask;
  sys(kSysRtSigprocmask, 2, &mask, 0, 8);
}

void arm_thread(Thread* t) {
  StackT stack{(u64)t + (64 << 10), 0, 0, 48 << 10};
  sys(kSysSigaltstack, &stack, 0);
  // PR_SET_SYSCALL_USER_DISPATCH
  i64 r = sys(kSysPrctl, 59, 1, agent_text_begin, agent_text_end - agent_text_begin, 0);
  US_ASSERT(r == 0);
}

void install_handlers(Thread* t, u64 ignored) {
  for (int sig = 1; sig <= kSignals; ++sig) {
    t->process->actions[sig] = {ignored & signal_bit(sig) ? 1ull : 0ull, 0, 0, 0};
    install_for(t, sig);
  }
}

void reinstall_handlers(Thread* t) {
  for (int sig = 1; sig <= kSignals; ++sig) {
    const auto install = [&] { install_for(t, sig); };
    if (is_ignored(t->process->actions[sig], sig)) keeping_pending(sig, install);
    else install();
  }
}

void install_replay_handlers() {
  for (int sig = 1; sig <= kSignals; ++sig) {
    if (sig == kSigKill || sig == kSigStop || sig == kSigTstp || sig == kSigTtin || sig == kSigTtou) continue;
    if (signal_bit(sig) & kReservedMask) {
      kernel_sigaction(sig, (u64)agent_signal_handler, kAgentSaFlags, kHandlerMask);
    } else if (sig == kSigChld) {
      // children of the replay are reaped by the kernel; wait4 answers from the journal
      kernel_sigaction(sig, 1, 0, 0);
    }
  }
}

void replay_child_signal(Thread* t) {
  if (!true_processes()) return;
  const SigAction& a = t->process->actions[kSigChld];
  constexpr u64 kSaNoCldWait = 2;
  keeping_pending(kSigChld, [&] { kernel_sigaction(kSigChld, a.handler == 1 ? 1 : 0, a.flags & kSaNoCldWait, 0); });
}

bool pending_restarts(Thread* t) {
  if (!t->pending_sig) return false;
  const SigAction& a = t->process->actions[t->pending_sig];
  if (a.handler <= 1) return true;  // death: whether the call was made does not matter
  return (a.flags & kSaRestart) && describe(t->call.nr).restarts();
}

bool signal_is_due(Thread* t) {
  int sig = (int)t->pending_sig;
  if (!sig) return false;
  const SigAction& a = t->process->actions[sig];
  u64 in_force = t->suspended ? t->suspend_mask : t->guest_mask;
  if (in_force & signal_bit(sig)) {
    requeue(t);
    return false;
  }
  if (is_ignored(a, sig)) {
    t->pending_sig = 0;
    set_kernel_mask(t->guest_mask);
    return false;
  }
  return true;
}

void deliver_pending(Thread* t, SignalPlace place) {
  if (!signal_is_due(t)) return;
  const int sig = (int)t->pending_sig;
  const SigAction& a = t->process->actions[sig];
  SigInfo info;
  copy_bytes(&info, &t->pending, sizeof info);
  t->pending_sig = 0;
  u8* p = ring_reserve(kSmallEvent);
  u8* q = put_array(p, 5);
  q = put_int(q, kEvSignal);
  q = put_uint(q, place);
  q = put_uint(q, (u64)sig);
  q = put_bin_head(q, sizeof info);
  copy_bytes(q, &info, sizeof info);
  q += sizeof info;
  q = put_uint(q, a.handler > 1 ? 1 : dumps_core(sig) ? 3 : 2);
  ring_commit(p, q);
  t->slot->events++;
  if (place == kBeforeCall) t->regs.rip = current_reissue(t);
  perform_delivery(t, sig, info, place);
}

void deliver_recorded(Thread* t, Event& e, SignalPlace place) {
  int sig = (int)e.integer();
  const u8* from;
  u32 n;
  e.bin(from, n);
  if (n != sizeof(SigInfo) || sig < 1 || sig > kSignals) e.malformed();
  SigInfo info;
  copy_bytes(&info, from, sizeof info);
  consume_event(e);
  if (true_processes()) take_back_signal(sig);
  if (shadowing()) timer_fired(t, info);
  perform_delivery(t, sig, info, place);
}

// Whether the kernel has sent SIGPIPE beside the error.
static bool tells_broken_pipe(const Call& c) {
  constexpr u64 kMsgNosignal = 0x4000;
  if (c.nr == kSysSendto || c.nr == kSysSendmmsg) return !(c.args[3] & kMsgNosignal);
  if (c.nr == kSysSendmsg) return !(c.args[2] & kMsgNosignal);
  return describe(c.nr).carries_data();
}

// Signals that a call lets in are delivered before it returns: also when the journal ends between the two. Whatever else is pending may
// come later, and must not come before an output that the primary may have released.
void deliver_due(Thread* t, i64 ret) {
  const Call& c = t->call;
  i32 target = (i32)c.args[0];
  bool to_itself = (c.nr == kSysKill || c.nr == kSysRtSigqueueinfo)     ? target == (i32)sys(kSysGetpid) || target == 0
                   : c.nr == kSysTkill                                  ? target == (i32)sys(kSysGettid)
                   : c.nr == kSysTgkill || c.nr == kSysRtTgsigqueueinfo ? (i32)c.args[1] == (i32)sys(kSysGettid)
                                                                        : false;
  const bool broken = ret == -kEPIPE && tells_broken_pipe(c);
  if (!to_itself && c.nr != kSysRtSigprocmask && c.nr != kSysRtSigreturn && ret != -kEINTR && !broken &&
      !is_cut_short(c, ret))
    return;
  if (broken) {
    // The call was the primary's: here the kernel has sent nothing.
    wait_live(t);
    SigInfo info{};
    info.signo = kSigPipe;
    info.rest[0] = (u64)sys(kSysGetpid) & 0xffffffff;
    sys(kSysRtTgsigqueueinfo, sys(kSysGetpid), sys(kSysGettid), kSigPipe, &info);
    if (t->pending_sig) deliver_pending(t, kAfterCall);
    return;
  }
  u64 pending = 0;
  sys(kSysRtSigpending, &pending, 8);
  if (!(pending & ~t->guest_mask & ~kReservedMask)) return;
  wait_live(t);
  if (t->pending_sig) deliver_pending(t, kAfterCall);
}

// A fault of the guest's own: both modes arrive here by executing the same instruction.
void deliver_fault(Thread* t) {
  int sig = t->pending.signo;
  SigInfo info;
  copy_bytes(&info, &t->pending, sizeof info);
  if (t->guest_mask & signal_bit(sig)) t->process->actions[sig].handler = 0;  // the kernel kills then
  if (t->process->actions[sig].handler == 1) t->process->actions[sig].handler = 0;
  if (!recording()) {
    Event e;
    next_event(t, e);
    t->call.nr = 0xffffffff;
    if (e.kind != kEvNone) {
      if (e.kind != kEvSignal || (u32)e.integer() != kFault) {
        Text text;
        text.str("the guest faults where it did not when it was recorded: signal ")
            .dec(sig)
            .str(" at ")
            .hex(t->regs.rip);
        text.str(", code ").dec(info.code).str(", address ").hex(info.rest[0]);
        text.buf[text.len] = 0;
        diverge(t, &e, abi::kKindUnknown, text.buf);
      }
      deliver_recorded(t, e, kFault);
    }
  }
  if (US_UNLIKELY(t->draining)) wait_live(t);
  u8* p = ring_reserve(kSmallEvent);
  u8* q = put_array(p, 5);
  q = put_int(q, kEvSignal);
  q = put_uint(q, kFault);
  q = put_uint(q, (u64)sig);
  q = put_bin_head(q, sizeof info);
  copy_bytes(q, &info, sizeof info);
  q += sizeof info;
  q = put_uint(q, t->process->actions[sig].handler > 1 ? 1 : 3);
  ring_commit(p, q);
  t->slot->events++;
  perform_delivery(t, sig, info, kFault);
}

}  // namespace understudy
