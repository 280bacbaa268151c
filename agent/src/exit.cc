// How threads and processes of the group end, of themselves or killed. See process.h.
//
// Invariants:
//  - A thread's EXIT event is its last. What the kernel does at its end and others can see (the robust list, the word at clear_tid) is done by
//    the agent before that thread gives the order on, because the kernel's moment is in no journal.
//  - live_threads and the slots' states change with the event, not with the end itself: the host goes by them.
//
// Must not: touch the thread's guest memory after the baton or the turn has been given on.
#include "process.h"

#include "baton.h"
#include "calls.h"
#include "live.h"
#include "pids.h"
#include "report.h"
#include "signals.h"

namespace understudy {

namespace {

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
    if (e.kind == kEvNone) {  // who comes next is no longer the journal's to say, but is to be said
      c.last_gtid = 0;
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

i64 call_exit(Thread* t) { end_thread(t, (i32)t->call.args[0]); }
i64 call_exit_group(Thread* t) { end_process(t, (i32)t->call.args[0], 0); }

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
