// Birth and death of threads and processes: see process.h.
#include "process.h"

#include "baton.h"
#include "calls.h"
#include "image.h"
#include "live.h"
#include "pids.h"
#include "report.h"
#include "restore.h"
#include "shadow.h"
#include "signals.h"

namespace understudy {

extern "C" i64 agent_clone(u64 nr, const u64* args, Thread* child, u64 stack_top);
extern "C" char agent_vdso_clock_gettime[], agent_vdso_gettimeofday[], agent_vdso_time[], agent_vdso_getcpu[],
    agent_vdso_getres[], agent_vdso_getrandom[];

namespace {

// clang-format off
enum : u64 {
  kCloneVm = 0x100, kCloneFs = 0x200, kCloneFiles = 0x400, kCloneSighand = 0x800, kClonePidfd = 0x1000, kClonePtrace = 0x2000, kCloneVfork = 0x4000, kCloneParent = 0x8000,
  kCloneThread = 0x10000, kCloneSettls = 0x80000, kCloneParentSettid = 0x100000, kCloneChildCleartid = 0x200000,
  kCloneUntraced = 0x800000, kCloneChildSettid = 0x1000000,
};
// clang-format on
constexpr u64 kNamespaces = 0x7e020080;  // CLONE_NEW*: passed on in record; a replay needs none

u32 g_blocks_high;  // of this address space: indices below have been mapped

Thread* block(u64 index) { return (Thread*)(abi::kThreadsAddr + index * kThreadBlock); }

abi::ThreadSlot& slot_of(u32 gtid) { return control().threads[gtid % abi::kMaxThreads]; }

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
  for (u32 i = 0; i < g_blocks_high; ++i)
    if (block(i) != t) block(i)->in_use = 0;
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
    if (!thread) {
      const u32 own = t->process->slot;
      ctl.processes[process].parent = c.flags & kCloneParent ? ctl.processes[own].parent : own;
    }
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
      p.dying = p.dead = p.doomed = 0;
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

// The kernel's walk over a robust list (kernel/futex/core.c), done by the agent at the thread's EXIT event, because the
// kernel would do it at a moment that the journal does not know.
void release_robust(Thread* t, u32 tid) {
  if (!t->robust_list) return;
  struct {
    u64 next;
    i64 offset;
    u64 pending;
  } head;
  if (agent_copy_safe(&head, (void*)t->robust_list, sizeof head)) return;
  auto die = [&](u64 entry) {
    u32* word = (u32*)((entry & ~1ull) + (u64)head.offset);
    u32 v;
    if (agent_copy_safe(&v, word, 4) || (v & 0x3fffffff) != tid) return;
    u32 now = (v & 0x80000000) | 0x40000000;
    agent_copy_safe(word, &now, 4);
    if (recording() && (v & 0x80000000)) sys(kSysFutex, word, 1 /* FUTEX_WAKE */, 1, 0, 0, 0);
  };
  u64 entry = head.next;
  for (u32 i = 0; i < 2048 && entry && (entry & ~1ull) != t->robust_list; ++i) {
    u64 next;
    if (agent_copy_safe(&next, (void*)(entry & ~1ull), 8)) break;
    if (entry != head.pending) die(entry);
    entry = next;
  }
  if (head.pending) die(head.pending);
}

void append_exit(Thread* t, bool whole_process, i32 status) {
  u8* p = ring_reserve(kSmallEvent);
  u8* q = put_array(p, 4);
  q = put_int(q, kEvExit);
  q = put_uint(q, t->gtid);
  q = put_uint(q, whole_process);
  q = put_int(q, status);
  ring_commit(p, q);
  t->slot->events++;
}

// Common to both modes: EXIT event, what the kernel does at the end of a thread, and the counters.
void leave_group(Thread* t, bool whole_process, i32 status) {
  abi::Control& c = control();
  Event e;
  if (!recording()) next_event(t, e);
  if (US_UNLIKELY(t->draining)) wait_live(t);  // the end of a process closes connections
  if (recording()) {
    append_exit(t, whole_process, status);
  } else {
    if (e.kind != kEvExit || (u32)e.integer() != t->gtid || (bool)e.integer() != whole_process || e.integer() != status)
      diverge(t, &e, abi::kKindUnknown, "the guest ends a thread or itself where it did not when it was recorded");
    consume_event(e);
  }
  u32 ended = 0;
  if (whole_process) {
    c.processes[t->process->slot].dying = 1;
    for (auto& s : c.threads)
      if (s.state == abi::kThreadLive && s.process == t->process->slot) {
        s.state = abi::kThreadExited;
        ++ended;
      }
    c.processes[t->process->slot].state = abi::kThreadExited;
  } else {
    t->slot->state = abi::kThreadExited;
    ended = 1;
    bool last = true;
    for (auto& s : c.threads)
      if (s.state == abi::kThreadLive && s.process == t->process->slot) last = false;
    if (last) c.processes[t->process->slot].state = abi::kThreadExited;
  }
  __atomic_fetch_sub(&c.live_threads, ended, __ATOMIC_SEQ_CST);
}

}  // namespace

// Replay: after the end of a thread the journal names who goes on.
void pass_turn(Thread* t) {
  abi::Control& c = control();
  Event e;
  for (;;) {
    peek_event(t, e);
    if (e.kind == kEvNone) {  // who comes next is no longer the journal's to say
      baton_release(t);
      return tell_drained();
    }
    if (e.kind == kEvSwitch) {
      u32 to = (u32)e.integer();
      consume_event(e);
      turn_give(t, to);
      return;
    }
    if (e.kind == kEvEnd) {
      c.exit_status = (i32)e.integer();
      consume_event(e);
      report_outcome(t, abi::kEnded);
    }
    if (e.kind == kEvKilled) {
      u32 process = (u32)e.integer();
      consume_event(e);
      process_killed(t, process);
      continue;
    }
    if (e.kind == kEvNote) {
      consume_event(e);
      continue;
    }
    t->call.nr = kSysExit;
    diverge(t, &e, abi::kKindOrder, "the journal goes on with a thread that has ended");
  }
}

namespace {
// A main thread that has ended leaves its process what all its threads refer to.
bool is_free(const Thread* t) {
  return !t->in_use || (t->kernel_tid == 0 && (t->vforked || t->process != &t->own_process));
}
}  // namespace

Thread* restore_block(u64 addr) {
  u32 index = (u32)((addr - abi::kThreadsAddr) / kThreadBlock);
  US_ASSERT(index < kThreadMax && addr == (u64)block(index));
  for (; g_blocks_high <= index; ++g_blocks_high) {
    i64 r = sys(kSysMmap, block(g_blocks_high), kThreadBlock, kProtRead | kProtWrite,
                kMapPrivate | kMapAnon | kMapFixed, -1, 0);
    US_ASSERT(r == (i64)block(g_blocks_high));
  }
  return block(index);
}

Thread* allocate_thread() {
  u32 i = 0;
  while (i < g_blocks_high && !is_free(block(i))) ++i;
  US_ASSERT(i < kThreadMax);
  Thread* t = block(i);
  if (i == g_blocks_high) {
    i64 r = sys(kSysMmap, t, kThreadBlock, kProtRead | kProtWrite, kMapPrivate | kMapAnon | kMapFixed, -1, 0);
    US_ASSERT(r == (i64)t);
    ++g_blocks_high;
  }
  fill_bytes(t, 0, sizeof *t);
  t->self = t;
  t->index = i;
  t->in_use = 1;
  t->kernel_tid = -1;
  t->stack_top = (u64)t + (64 << 10) - 8;
  t->vdso_clock = (u64)agent_vdso_clock_gettime;
  t->vdso_gettimeofday = (u64)agent_vdso_gettimeofday;
  t->vdso_time = (u64)agent_vdso_time;
  t->vdso_getcpu = (u64)agent_vdso_getcpu;
  t->vdso_getres = (u64)agent_vdso_getres;
  t->vdso_getrandom = (u64)agent_vdso_getrandom;
  return t;
}

void adopt_slot(Thread* t, u32 gtid, u32 process_slot) {
  abi::Control& c = control();
  abi::ThreadSlot& s = slot_of(gtid);
  t->gtid = gtid;
  t->slot = &s;
  t->process->slot = process_slot;
  s.gtid = gtid;
  s.process = process_slot;
  s.events = 0;
  s.attention = 0;
  s.patience_ms = 0;
  s.tid = (i32)sys(kSysGettid);
  s.pid = (i32)sys(kSysGetpid);
  s.block = (u64)t;
  s.process_block = (u64)t->process;
  s.vforked = t->vforked;
  // A further thread of a process finds it as it is: it may be dying by the time the thread comes up.
  if (t->process != &t->own_process) return;
  s.state = abi::kThreadLive;
  abi::ProcessSlot& p = c.processes[process_slot];
  p.state = abi::kThreadLive;
  p.pid = s.pid;
  p.dying = 0;
  // Members write into each other's memory again; who may was asked when it was recorded.
  if (!recording()) sys(kSysPrctl, 0x59616d61 /* PR_SET_PTRACER */, -1);
}

namespace {
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

void end_thread(Thread* t, i32 status) {
  abi::Control& c = control();
  u32 tid = (u32)sys(kSysGettid);
  bool last = true;
  for (auto& s : c.threads)
    if (s.state == abi::kThreadLive && s.process == t->process->slot && s.gtid != t->gtid) last = false;
  if (last) end_process(t, status, 0);
  leave_group(t, false, status);
  release_robust(t, t->child_tid ? (u32)t->child_tid : tid);
  if (t->clear_tid) {
    u32 zero = 0;
    if (agent_copy_safe((void*)t->clear_tid, &zero, 4) == 0 && recording()) sys(kSysFutex, t->clear_tid, 1, 1, 0, 0, 0);
  }
  block_all_signals();
  sys(kSysSetRobustList, 0, 24);
  if (recording()) baton_release(t);
  else pass_turn(t);
  for (;;) sys(kSysExit, status);
}

void end_process(Thread* t, i32 status, i32 signal) {
  if (signal) status = 0x10000 | signal;
  leave_group(t, true, status);
  release_robust(t, t->child_tid ? (u32)t->child_tid : (u32)sys(kSysGettid));
  if (t->clear_tid) {
    // Only seen by processes that share the memory; the kernel does the same when mm_users > 1.
    u32 zero = 0;
    if (agent_copy_safe((void*)t->clear_tid, &zero, 4) == 0 && recording()) sys(kSysFutex, t->clear_tid, 1, 1, 0, 0, 0);
  }
  block_all_signals();
  if (!recording()) {
    const bool truly = true_processes();  // the group may go live meanwhile
    pass_turn(t);
    if (!truly)
      for (;;) sys(t->vforked ? (u64)kSysExit : (u64)kSysExitGroup, signal ? 128 + signal : status);
    // One core file is enough.
    u64 no_core[2] = {0, 0};
    sys(kSysPrlimit, 0, 4 /* RLIMIT_CORE */, no_core, 0);
  }
  if (recording()) baton_release(t);
  if (signal) {
    SigAction dfl{0, 0, 0, 0};
    sys(kSysRtSigaction, signal, &dfl, 0, 8);
    u64 mask = ~(1ull << (signal - 1));
    sys(kSysRtSigprocmask, 2, &mask, 0, 8);
    sys(kSysTgkill, sys(kSysGetpid), sys(kSysGettid), signal);
  }
  for (;;) sys(kSysExitGroup, signal ? 128 + signal : status);
}

void count_out(u32 process) {
  abi::Control& c = control();
  u32 ended = 0;
  for (auto& s : c.threads)
    if (s.state == abi::kThreadLive && s.process == process) {
      s.state = abi::kThreadKilled;
      ++ended;
    }
  __atomic_fetch_sub(&c.live_threads, ended, __ATOMIC_SEQ_CST);
  c.processes[process].state = abi::kThreadKilled;
  c.processes[process].dying = 1;
}

void process_killed(Thread* t, u32 process) {
  abi::Control& c = control();
  if (c.processes[process].state == abi::kThreadKilled) return;  // it was waited for before the host knew of its end
  count_out(process);
  if (process == t->process->slot) {
    // This thread is of the killed process: it has come as far as the recording did, or further.
    const bool truly = true_processes();  // the group may go live meanwhile
    pass_turn(t);
    if (truly) sys(kSysKill, sys(kSysGetpid), 9);
    for (;;) sys(kSysExitGroup, 137);
  }
  if (c.processes[process].pid > 0) sys(kSysKill, c.processes[process].pid, 9);
}

void retire_other_threads(Thread* t) {
  abi::Control& c = control();
  u32 ended = 0;
  for (auto& s : c.threads)
    if (s.state == abi::kThreadLive && s.process == t->process->slot && s.gtid != t->gtid) {
      s.state = abi::kThreadExited;
      ++ended;
    }
  __atomic_fetch_sub(&c.live_threads, ended, __ATOMIC_SEQ_CST);
}

// ---- calls --------------------------------------------------------------------------------------------------------------
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

i64 call_exit(Thread* t) { end_thread(t, (i32)t->call.args[0]); }
i64 call_exit_group(Thread* t) { end_process(t, (i32)t->call.args[0], 0); }

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
      for (u32 i = 0; i < g_blocks_high; ++i)
        if (block(i) != t) block(i)->in_use = 0;
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
      for (u32 i = 0; i < g_blocks_high; ++i)
        while (block(i) != t && block(i)->in_use && __atomic_load_n(&block(i)->kernel_tid, __ATOMIC_ACQUIRE) != 0)
          sys(kSysSchedYield);
    }
    retire_other_threads(t);
    if (t->process != &t->own_process) {
      t->own_process = *t->process;
      t->process = &t->own_process;
    }
    adopt_slot(t, t->gtid, t->process->slot);
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

i64 call_set_tid_address(Thread* t) {
  t->clear_tid = t->call.args[0];
  if (recording()) {
    t->child_tid = sys(kSysGettid);
    append_call(t, t->child_tid);
    return t->child_tid;
  }
  Settled s;
  expect_call(t, s);
  t->child_tid = s.ret;  // the number that the guest knows itself by: robust futexes hold it
  return s.ret;
}

i64 call_set_robust_list(Thread* t) {
  if (t->call.args[1] != 24) return settle(t, -kEINVAL);
  t->robust_list = t->call.args[0];
  return settle(t, 0);
}

i64 call_get_robust_list(Thread* t) {
  const u64* a = t->call.args;
  if ((i32)a[0] != 0) return generic_call(t, t->call);
  u64 len = 24;
  if (agent_copy_safe((void*)a[2], &len, 8) || agent_copy_safe((void*)a[1], &t->robust_list, 8))
    return settle(t, -kEFAULT);
  return settle(t, 0);
}

}  // namespace understudy
