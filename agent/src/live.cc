// See live.h.
#include "live.h"

#include "baton.h"
#include "fast.h"
#include "pids.h"
#include "process.h"
#include "shadow.h"
#include "signals.h"

namespace understudy {

namespace {

void futex(u32* word, u32 op, u32 value, i64 nsec) {
  i64 ts[2] = {nsec / 1000000000, nsec % 1000000000};
  sys(kSysFutex, word, op, value, ts, 0, 0);
}

// At 5 ms each, all threads' turns included. What spins for an event that will not come any more delays the takeover by so much; what
// computes for longer, right at the journal's end, makes its next output only after it.
constexpr u32 kDrainKicks = 12;
constexpr i64 kDrainLookNs = 5'000'000;

u32 live_state() { return __atomic_load_n(&control().pair.live, __ATOMIC_ACQUIRE); }

void become_live(Thread* t) {
  t->draining = 0;
  t->drain_kicks = 0;
  if (!g_hot.recording) {
    // First thread of its address space to get here.
    g_hot.recording = 1;
    g_hot.mono_offset = control().pair.clock_offset_ns[1];
    g_hot.tail_cache = __atomic_load_n(&control().ring.tail, __ATOMIC_ACQUIRE);
    init_fast_paths();
    kernel_query = [](u64 nr, u64 a, u64 b, u64 c, u64 d) { return sys(nr, a, b, c, d); };
  }
  if (!t->process->live) {
    // First of its process: a child in vfork is another one, with the same memory.
    t->process->live = true;
    // The kernel's own program break is where the replay's stub ended, not where the guest believes it to be.
    t->process->own_break = true;
    reinstall_handlers(t);
    shadow_go_live(t);
    kill_doomed();
    // Of a child in vfork its parent does.
    if (!t->vforked) offer_tracking(t);
  }
  set_kernel_mask(t->guest_mask);
}

}  // namespace

void begin_record(Thread* t) {
  abi::Control& c = control();
  c.ring.head_seq = c.ring.tail_seq;
  c.last_gtid = t->gtid;
  c.baton_waiters = 0;
  u32 highest = 1;
  for (auto& s : c.threads)
    if (s.state == abi::kThreadLive && s.gtid > highest) highest = s.gtid;
  c.next_gtid = highest + 1;
  block_all_signals();
  t->draining = 1;
  __atomic_store_n(&c.mode, (u32)abi::kModeRecord, __ATOMIC_SEQ_CST);
  for (auto& s : c.threads)
    if (s.state == abi::kThreadLive && s.gtid != t->gtid) {
      __atomic_fetch_add(&s.turn, 1, __ATOMIC_SEQ_CST);
      futex(&s.turn, 1, 0x7fffffff, 0);
    }
}

void join_record(Thread* t) {
  block_all_signals();
  t->draining = 1;
  baton_acquire(t);
}

void tell_drained() {
  abi::Pair& p = control().pair;
  if (__atomic_load_n(&p.drained, __ATOMIC_SEQ_CST) < __atomic_load_n(&control().live_threads, __ATOMIC_SEQ_CST))
    return;
  u32 expected = abi::kLiveDrain;
  if (__atomic_compare_exchange_n(&p.live, &expected, (u32)abi::kLiveDrained, false, __ATOMIC_SEQ_CST,
                                  __ATOMIC_SEQ_CST))
    futex(&p.live, 1, 0x7fffffff, 0);
}

void wait_live(Thread* t) {
  abi::Control& c = control();
  abi::Pair& p = c.pair;
  baton_release(t);
  __atomic_fetch_add(&p.drained, 1, __ATOMIC_SEQ_CST);
  tell_drained();
  for (u32 state; (state = live_state()) != abi::kLiveOn;) {
    if (c.processes[t->process->slot].dying)
      for (;;) sys(kSysExit, 0);
    const u32 holder = __atomic_load_n(&c.baton, __ATOMIC_SEQ_CST);
    if (state == abi::kLiveDrain && holder != 0 && holder < kBatonHost) ask_for_kick(holder);
    futex(&p.live, 0, state, state == abi::kLiveDrain ? kDrainLookNs : 100'000'000);
  }
  __atomic_fetch_sub(&p.drained, 1, __ATOMIC_SEQ_CST);
  baton_acquire(t);
  become_live(t);
}

void drain_kicked(Thread* t) {
  if (++t->drain_kicks >= kDrainKicks || live_state() == abi::kLiveOn) wait_live(t);
  else if (baton_wanted()) baton_yield(t);
}

bool drain_call(Thread* t, i64& ret) {
  if (live_state() == abi::kLiveOn) {
    become_live(t);
    return false;
  }
  if (shadow_output(t, t->call, ret)) return true;
  wait_live(t);
  return false;
}

}  // namespace understudy
