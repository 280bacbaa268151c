// How threads and processes of the group come to be: clone, fork, vfork and clone3 in both modes, and the first steps of what they
// made. See process.h.
//
// Invariants:
//  - Numbers in the group are given by the holder of the baton when recording; a replay takes them from the journal.
//  - A vfork's SPAWN event is the child's and precedes everything that the child does; of all others the parent's call tells.
//  - The kernel writes no thread number into the guest's memory: it would do so when it likes. The agent does, at its event.
//
// Must not: run guest code in a child before its slots are filled and it is its turn.
#include "process.h"

#include "baton.h"
#include "calls.h"
#include "live.h"
#include "pids.h"
#include "report.h"
#include "restore.h"
#include "signals.h"
#include "thread_blocks.h"

namespace understudy {

extern "C" i64 agent_clone(u64 nr, const u64* args, Thread* child, u64 stack_top);

namespace {

// clang-format off
enum : u64 {
  kCloneVm = 0x100, kCloneFs = 0x200, kCloneFiles = 0x400, kCloneSighand = 0x800, kClonePidfd = 0x1000, kClonePtrace = 0x2000, kCloneVfork = 0x4000, kCloneParent = 0x8000,
  kCloneThread = 0x10000, kCloneSettls = 0x80000, kCloneParentSettid = 0x100000, kCloneChildCleartid = 0x200000,
  kCloneUntraced = 0x800000, kCloneChildSettid = 0x1000000,
};
// clang-format on
constexpr u64 kNamespaces = 0x7e020080;  // CLONE_NEW*: passed on in record; a replay needs none

// Numbers are given by the baton holder in record and come from the journal in replay.
bool take_numbers(bool new_process, u32& gtid, u32& process) {
  abi::Control& c = control();
  u32 tries = 0;
  while (slot_of(c.next_gtid).state == abi::kThreadLive || c.next_gtid % abi::kMaxThreads == 0) {
    c.next_gtid = (c.next_gtid + 1) & 0x3fffffff;
    if (++tries > abi::kMaxThreads) return false;
  }
  gtid = c.next_gtid++;
  if (!new_process) return true;
  for (tries = 0; tries < abi::kMaxProcesses; ++tries) {
    u32 i = (c.next_process + tries) % abi::kMaxProcesses;
    abi::ProcessSlot& p = c.processes[i];
    // A slot is used again once the host has seen the end of the process that had it.
    if (p.state == abi::kThreadFree || (p.state != abi::kThreadLive && p.dead)) {
      process = i;
      c.next_process = (i + 1) % abi::kMaxProcesses;
      p.dead = 0;
      p.dying = 0;
      p.doomed = 0;
      p.pid = 0;
      p.images++;
      p.waited = 0;
      p.state = abi::kThreadLive;
      return true;
    }
  }
  return false;
}

struct CloneCall {
  u64 flags;  // without the exit signal
  u64 exit_signal;
  u64 stack;  // 0: the caller's
  u64 parent_tid, child_tid, tls, pidfd;
};

void prepare_child(Thread* t, Thread* child, const CloneCall& c, u32 gtid, u32 process) {
  child->regs = t->regs;
  child->regs.rax = 0;
  child->regs.rcx = t->regs.rip;
  child->regs.r11 = 0x246;
  child->flags16 = t->flags16;
  if (c.stack) child->regs.rsp = c.stack;
  child->guest_mask = t->guest_mask;
  child->gtid = gtid;
  child->alt_sp = child->alt_size = 0;
  child->alt_flags = 0;
  if (c.flags & kCloneVfork) {
    child->alt_sp = t->alt_sp;
    child->alt_size = t->alt_size;
    child->alt_flags = t->alt_flags;
  }
  child->clear_tid = c.flags & kCloneChildCleartid ? c.child_tid : 0;
  child->child_tid_addr = c.flags & kCloneChildSettid ? c.child_tid : 0;
  if (c.flags & kCloneThread) {
    child->process = t->process;
    child->vforked = t->vforked;
  } else {
    child->own_process = *t->process;
    child->process = &child->own_process;
    child->process->own = true;
    child->process->slot = process;
    child->vforked = 1;
  }
}

// The kernel-side flags of a child that shares memory. Ids are written by the agent: the kernel would write them when it
// likes, which need not be when the journal says.
u64 kernel_flags(u64 flags) {
  return (flags & ~(u64)(kCloneParentSettid | kCloneChildSettid | kClonePidfd)) | kCloneChildCleartid;
}

void child_writes_tid(Thread* t) {
  if (t->child_tid_addr) {
    i32 value = (i32)t->child_tid;
    agent_copy_safe((void*)t->child_tid_addr, &value, 4);
  }
}

}  // namespace

// The descriptor is there for a moment only: nobody else of the process runs guest code meanwhile, since this thread has the baton.
void offer_tracking(Thread* t) {
  constexpr u64 kFlags = 02000000 | 04000 | 1;  // O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY
  if (!(control().flags & abi::kFlagTrack)) return;
  i64 fd = sys(kSysUserfaultfd, kFlags);
  if (is_error(fd)) return;  // a checkpoint copies all of its memory then
  rpc(abi::kRpcTrack, t->process->slot, (u64)fd);
  sys(kSysClose, fd);
}

namespace {

// The child of a fork without shared memory: everything of the agent is there, as a copy.
[[noreturn]] void become_forked_child(Thread* t, const CloneCall& c, u32 gtid, u32 process, i64 tid) {
  forget_other_blocks(t);
  if (t->process != &t->own_process) {
    t->own_process = *t->process;
    t->process = &t->own_process;
  }
  t->process->own = true;
  t->vforked = 0;
  t->process->slot = process;
  t->pending_sig = 0;
  for (SigInfo& h : t->held) h.signo = 0;
  fill_bytes(&t->process->timers, 0, sizeof t->process->timers);  // a child has none
  t->suspended = 0;
  t->robust_list = 0;
  t->clear_tid = c.flags & kCloneChildCleartid ? c.child_tid : 0;
  t->child_tid_addr = c.flags & kCloneChildSettid ? c.child_tid : 0;
  if (c.stack) t->regs.rsp = c.stack;
  sys(kSysSetTidAddress, &t->kernel_tid);
  t->kernel_tid = (i32)sys(kSysGettid);
  arm_thread(t);
  t->gtid = gtid;
  adopt_slot(t, gtid, process);
  // A child of a replay may come up when the group has begun to go live: it was made in replay all the same.
  t->child_tid = g_hot.recording ? t->kernel_tid : tid;
  if (g_hot.recording) {
    set_kernel_mask(t->guest_mask);
    t->slot->resume = abi::kResumeSpawn;
    baton_acquire(t);
    t->slot->resume = abi::kResumeCall;
    rpc(abi::kRpcJoin, process);
    offer_tracking(t);
  } else {
    turn_await(t);
  }
  if (t->draining) wait_live(t);
  child_writes_tid(t);
  leave_call(t, 0);
}

void append_spawn(u32 gtid, u32 process, i64 tid) {
  u8* p = ring_reserve(kSmallEvent);
  u8* q = put_array(p, 4);
  q = put_int(q, kEvSpawn);
  q = put_uint(q, gtid);
  q = put_uint(q, process);
  q = put_uint(q, (u64)tid);
  ring_commit(p, q);
}

i64 clone_common(Thread* t, const CloneCall& c) {
  abi::Control& ctl = control();
  bool shares = c.flags & kCloneVm, thread = c.flags & kCloneThread, vfork = (c.flags & kCloneVfork) && shares;
  if (thread && !shares) return settle(t, -kEINVAL);
  u32 gtid = 0, process = t->process->slot;
  i64 pidfd = -1;
  Settled s{};

  // What the journal says first: a vfork's SPAWN precedes the child, everything else is known when the call is over. The child
  // itself appends SPAWN, since only it knows its number then.
  if (recording()) {
    if (!take_numbers(!thread, gtid, process)) return settle(t, -kEAGAIN);
    slot_of(gtid).resume = abi::kResumeUnborn;
    slot_of(gtid).vforked = 0;
    slot_of(gtid).state = abi::kThreadLive;
    slot_of(gtid).gtid = gtid;
    // before the child adopts it: an exit meanwhile counts the threads of its own process
    slot_of(gtid).process = process;
  } else if (vfork) {
    Event e;
    next_event(t, e);
    if (e.kind != kEvSpawn) {
      expect_call(t, s);  // the call failed before there was a child
      return s.ret;
    }
    gtid = (u32)e.integer();
    process = (u32)e.integer();
    s.ret = e.left ? e.integer() : 0;
    consume_event(e);
  } else {
    expect_call(t, s);
    if (is_error(s.ret)) return s.ret;
    gtid = (u32)s.extra[0];
    process = (u32)s.extra[1];
    pidfd = s.extra[2];
  }

  if (!thread) {
    const u32 own = t->process->slot;
    ctl.processes[process].parent = c.flags & kCloneParent ? ctl.processes[own].parent : own;
  }
  i64 ret;
  Thread* child = nullptr;
  block_all_signals();
  __atomic_fetch_add(&ctl.live_threads, 1, __ATOMIC_SEQ_CST);
  i32 pidfd_value = -1;
  const i64 wanted = s.ret;
  if (true_processes()) make_next_pid(wanted);
  if (!recording()) {
    // Not left to the child: it may be killed before it comes to it.
    slot_of(gtid).gtid = gtid;
    slot_of(gtid).process = process;
    slot_of(gtid).state = abi::kThreadLive;
    if (!thread) {
      abi::ProcessSlot& p = ctl.processes[process];
      p.dying = p.dead = p.doomed = p.waited = 0;
      p.pid = true_processes() ? (i32)wanted : 0;
      p.state = abi::kThreadLive;
    }
  }
  if (shares) {
    child = allocate_thread();
    prepare_child(t, child, c, gtid, process);
    child->child_tid = s.ret;
    if (!recording()) child->slot = &slot_of(gtid);
    child->kernel_tid = -1;
    u64 top = child->stack_top;
    u64 args[5] = {kernel_flags(c.flags) | c.exit_signal, top, (u64)&pidfd_value, (u64)&child->kernel_tid, c.tls};
    if (recording()) {
      if (c.flags & kClonePidfd) args[0] |= kClonePidfd;
    } else {
      args[0] &= ~(kNamespaces | kCloneVfork | (true_processes() ? 0 : 0xff));
      // A parent in vfork must not run while its child does; in replay the turn sees to that.
    }
    if (vfork && recording()) {
      // The baton goes to the child, in agent_on_new_thread.
      child->spawner = t;
      t->spawn_told = 0;
      t->slot->resume = abi::kResumeBusy;
      ret = agent_clone(kSysClone, args, child, top);
      if (__atomic_load_n(&t->spawn_told, __ATOMIC_ACQUIRE)) baton_acquire(t);
      else if (!is_error(ret)) append_spawn(gtid, process, ret);  // killed before it came to anything
    } else {
      ret = agent_clone(kSysClone, args, child, top);
    }
  } else {
    u64 flags = (c.flags &
                 ~(u64)(kCloneParentSettid | kCloneChildSettid | kCloneChildCleartid | kCloneVfork | kClonePidfd)) |
                c.exit_signal;
    if (recording() && (c.flags & kClonePidfd)) flags |= kClonePidfd;
    if (!recording()) {
      u64 dropped = kNamespaces | (true_processes() ? 0 : kCloneParent | 0xff);
      flags = (flags & ~(dropped | kCloneSettls)) | (c.flags & kCloneSettls);
    }
    ret = sys(kSysClone, flags, 0, &pidfd_value, 0, c.tls);
    if (ret == 0) become_forked_child(t, c, gtid, process, s.ret);
  }
  if (is_error(ret)) {
    __atomic_fetch_sub(&ctl.live_threads, 1, __ATOMIC_SEQ_CST);
    slot_of(gtid).state = abi::kThreadFree;
    if (!thread) {
      ctl.processes[process].state = abi::kThreadExited;
      ctl.processes[process].dead = 1;
    }
    if (child) child->in_use = 0;
  }
  // A child that is killed before it can say who it is must be missed by the host all the same, and be killed again in a replay.
  // (Not after a vfork that came to something: the slot may be another's by now.)
  if (!thread && !is_error(ret) && !(vfork && t->spawn_told) && ctl.processes[process].pid == 0)
    ctl.processes[process].pid = (i32)ret;
  if (recording()) {
    t->slot->resume = abi::kResumeCall;
    set_kernel_mask(t->guest_mask);
    i64 extra[3] = {gtid, process, pidfd_value};
    append_call(t, ret, is_error(ret) ? 0 : 3, extra);
    if (is_error(ret)) return ret;
    pidfd = pidfd_value;
  } else {
    if (is_error(ret))
      report_outcome_text(abi::kAgentFault, "the replay cannot create a thread or process that the recording has");
    if (true_processes() && ret != wanted)
      diverge(t, nullptr, abi::kKindPlace,
              "a new thread or process cannot have the number that it had when it was recorded");
    if (vfork) {
      Event e;
      next_event(t, e);
      if (US_UNLIKELY(e.kind == kEvNone)) {
        // The journal ends while the child has the memory: this one goes on when it has left it, as the kernel would have it.
        const i32 tid = (i32)s.ret;
        if (t->draining) wait_live(t);
        baton_release(t);
        for (i32 now; (now = __atomic_load_n(&child->kernel_tid, __ATOMIC_ACQUIRE)) != 0;) {
          i64 ts[2] = {0, 10'000'000};
          sys(kSysFutex, &child->kernel_tid, 0, now, ts, 0, 0);
        }
        baton_acquire(t);
        i64 extra[3] = {gtid, process, -1};
        append_call(t, tid, 3, extra);
      } else {
        expect_call(t, s);
        pidfd = s.extras > 2 ? s.extra[2] : -1;
      }
    }
    ret = s.ret;
  }
  i32 value = (i32)ret;
  if (c.flags & kCloneParentSettid) agent_copy_safe((void*)c.parent_tid, &value, 4);
  if (c.flags & kClonePidfd) {
    value = (i32)pidfd;
    agent_copy_safe((void*)c.pidfd, &value, 4);
  }
  return ret;
}

void tell_spawn(Thread* child) {
  append_spawn(child->gtid, child->process->slot, child->child_tid);
  __atomic_store_n(&child->spawner->spawn_told, 1, __ATOMIC_RELEASE);
}

// The parent was killed inside its vfork, and the host says so in the journal: for the journal there never was a child.
[[noreturn]] void end_unborn(Thread* child) {
  child->slot->state = abi::kThreadFree;
  control().processes[child->process->slot].state = abi::kThreadExited;
  __atomic_fetch_sub(&control().live_threads, 1, __ATOMIC_SEQ_CST);
  for (;;) sys(kSysExitGroup, 0);
}
}  // namespace

extern "C" [[noreturn]] void agent_on_new_thread(Thread* child) {
  if (child->restoring) restore_thread(child);
  sys(kSysArchPrctl, 0x1001 /* ARCH_SET_GS */, child);
  i32 tid = (i32)sys(kSysGettid);
  child->kernel_tid = tid;
  adopt_slot(child, child->gtid, child->process->slot);
  arm_thread(child);
  if (g_hot.recording) {
    child->child_tid = tid;
    set_kernel_mask(child->guest_mask);
    child->slot->resume = abi::kResumeSpawn;
    if (!child->spawner) baton_acquire(child);
    else if (!baton_inherit(child, child->spawner, tell_spawn)) end_unborn(child);
    child->slot->resume = abi::kResumeCall;
    if (child->process == &child->own_process) rpc(abi::kRpcJoin, child->process->slot);
  } else {
    turn_await(child);
  }
  if (child->draining) wait_live(child);
  begin_thread(child);
}

void begin_thread(Thread* child) {
  child_writes_tid(child);
  child->call.nr = kSysClone;
  leave_call(child, 0);
}

i64 call_clone(Thread* t) {
  const u64* a = t->call.args;
  CloneCall c{a[0] & ~0xffull & 0xffffffff, a[0] & 0xff, a[1], a[2], a[3], a[4], a[2]};
  return clone_common(t, c);
}
i64 call_fork(Thread* t) { return clone_common(t, CloneCall{0, kSigChld, 0, 0, 0, 0, 0}); }
i64 call_vfork(Thread* t) { return clone_common(t, CloneCall{kCloneVm | kCloneVfork, kSigChld, 0, 0, 0, 0, 0}); }

i64 call_clone3(Thread* t) {
  struct {
    u64 flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
  } a{};
  u64 n = t->call.args[1] < sizeof a ? t->call.args[1] : sizeof a;
  if (n < 64) return settle(t, -kEINVAL);
  if (agent_copy_safe(&a, (void*)t->call.args[0], n)) return settle(t, -kEFAULT);
  // What clone() cannot express is refused the way an older kernel would: libraries fall back.
  if ((a.flags >> 32) || a.set_tid || (a.flags & 0xff)) return settle(t, -kENOSYS);
  CloneCall c{a.flags, a.exit_signal, a.stack ? a.stack + a.stack_size : 0, a.parent_tid, a.child_tid, a.tls, a.pidfd};
  return clone_common(t, c);
}

}  // namespace understudy
