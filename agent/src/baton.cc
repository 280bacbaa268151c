// Baton and ring: see the headers. Futex calls are never private: the group spans processes.
#include "baton.h"
#include "blobs.h"

#include "image.h"
#include "live.h"
#include "parts.h"
#include "process.h"
#include "report.h"
#include "shadow.h"

namespace understudy {

Hot g_hot;

namespace {
// some microseconds: a hand-over between cores through the kernel costs ten times that
constexpr u32 kSpins = 150;
constexpr u32 kFutexWait = 0, kFutexWake = 1;
constexpr u32 kKickAfterWaits = 1;
constexpr u32 kHost = kBatonHost;

struct Timespec {
  i64 sec, nsec;
};

void futex_wait(u32* word, u32 value, i64 nsec) {
  Timespec ts{nsec / 1000000000, nsec % 1000000000};
  sys(kSysFutex, word, kFutexWait, value, &ts, 0, 0);
}
void futex_wake(u32* word, u32 n) { sys(kSysFutex, word, kFutexWake, n, 0, 0, 0); }

void emit_switch(Thread* t) {
  u8* p = ring_reserve(kSmallEvent);
  u8* q = put_array(p, 2);
  q = put_int(q, kEvSwitch);
  q = put_uint(q, t->gtid);
  ring_commit(p, q);
  control().last_gtid = t->gtid;
  control().stat_switches++;
}

// Whether a thread that lent the baton waits in its call. One that only lacks a processor may have its data out already, or be
// about to: another's data must not get into the journal before it. A write to a disk (state D) ends by itself.
bool waits_in_call(u32 gtid) {
  Text path;
  path.str("/proc/").dec(control().threads[gtid % abi::kMaxThreads].tid).str("/stat");
  path.buf[path.len] = 0;
  i64 fd = sys(kSysOpen, path.buf, 02000000 /* O_CLOEXEC */, 0);
  if (is_error(fd)) return true;  // it is gone, or there is no /proc to tell
  char stat[128];
  i64 n = sys(kSysRead, fd, stat, sizeof stat);
  sys(kSysClose, fd);
  i64 at = n - 1;  // "tid (name) state ...": the name may hold anything
  while (at > 0 && stat[at] != ')') --at;
  if (at <= 0 || at + 2 >= n) return true;
  return stat[at + 2] != 'R' && stat[at + 2] != 'D';
}

}  // namespace

// The thread may be computing, or spinning on what a waiter would do. The host interrupts it if it stays so, and it hands
// over (or takes its signal) at a position that replay can find again. The host also withdraws the request.
void ask_for_kick(u32 gtid) {
  abi::Control& c = control();
  abi::ThreadSlot& slot = c.threads[gtid % abi::kMaxThreads];
  // Also when a request is open already: the host withdraws one whose thread has made an event since (service.cc).
  __atomic_store_n(&slot.attention_seq, slot.events, __ATOMIC_SEQ_CST);
  if (__atomic_exchange_n(&slot.attention, 1, __ATOMIC_SEQ_CST) == 0) {
    __atomic_fetch_add(&c.attention, 1, __ATOMIC_SEQ_CST);
    futex_wake(&c.attention, 1);
  }
}

void ring_wake_host() {
  abi::Ring& r = control().ring;
  __atomic_fetch_add(&r.pump_wake, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&r.pump_sleeping, __ATOMIC_SEQ_CST)) futex_wake(&r.pump_wake, 1);
}

void ring_wait_space(u64 need) {
  abi::Ring& r = control().ring;
  for (;;) {
    g_hot.tail_cache = __atomic_load_n(&r.tail, __ATOMIC_ACQUIRE);
    if (r.head + need - g_hot.tail_cache <= r.size) return;
    if (__atomic_load_n(&r.closed, __ATOMIC_ACQUIRE) && control().on_error == abi::kOnErrorContinue) {
      g_hot.tail_cache = r.head;  // unprotected: events are written over each other and nobody reads them
      return;
    }
    control().stat_ring_waits++;
    u32 seen = __atomic_load_n(&r.guest_wake, __ATOMIC_ACQUIRE);
    __atomic_store_n(&r.guest_sleeping, 1, __ATOMIC_SEQ_CST);
    ring_wake_host();
    if (__atomic_load_n(&r.tail, __ATOMIC_SEQ_CST) == g_hot.tail_cache) futex_wait(&r.guest_wake, seen, 20'000'000);
    __atomic_store_n(&r.guest_sleeping, 0, __ATOMIC_RELAXED);
  }
}

void baton_contend(Thread* t) {
  abi::Control& c = control();
  for (u32 i = 0; i < kSpins; ++i) {
    pause_cpu();
    if (__atomic_load_n(&c.baton, __ATOMIC_RELAXED) != 0) continue;
    u32 expected = 0;
    if (__atomic_compare_exchange_n(&c.baton, &expected, t->gtid, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) return;
  }
  __atomic_fetch_add(&c.baton_waiters, 1, __ATOMIC_SEQ_CST);
  u32 same = 0, before = 0;
  for (;;) {
    u32 holder = __atomic_load_n(&c.baton, __ATOMIC_SEQ_CST);
    if (holder == 0) {
      u32 expected = 0;
      if (__atomic_compare_exchange_n(&c.baton, &expected, t->gtid, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) break;
      continue;
    }
    same = holder == before ? same + 1 : 0;
    before = holder;
    if ((holder & kBatonLent) && same && waits_in_call(holder & ~kBatonLent)) {
      if (__atomic_compare_exchange_n(&c.baton, &holder, t->gtid, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        c.stat_steals++;
        break;
      }
      continue;
    }
    if (same >= kKickAfterWaits && holder < kHost) ask_for_kick(holder);
    futex_wait(&c.baton, holder, same < 4 ? 1'000'000 : 5'000'000);
  }
  __atomic_fetch_sub(&c.baton_waiters, 1, __ATOMIC_SEQ_CST);
}

void baton_received(Thread* t) {
  abi::Control& c = control();
  // Another thread of this process may have called exit_group or execve: then no guest code runs here any more.
  if (US_UNLIKELY(c.processes[t->process->slot].dying)) {
    baton_release(t);
    for (;;) sys(kSysExit, 0);
  }
  if (c.last_gtid != t->gtid) emit_switch(t);
}

bool baton_inherit(Thread* child, Thread* parent, void (*before)(Thread* child)) {
  abi::Control& c = control();
  u32 holder = parent->gtid;
  if (!__atomic_compare_exchange_n(&c.baton, &holder, child->gtid, false, __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
    return false;
  before(child);
  child->slice = 0;
  if (c.last_gtid != child->gtid) emit_switch(child);
  return true;
}

void baton_wake() { futex_wake(&control().baton, 1); }

void baton_yield(Thread* t) {
  abi::Control& c = control();
  u32 mine = c.last_gtid, patience = t->slot->patience_ms;
  baton_release(t);
  t->slot->patience_ms = patience;
  // The waiter has to be scheduled first; without this pause the releaser would take the baton back at once.
  for (u32 i = 0; i < 4000 && baton_wanted() && __atomic_load_n(&c.last_gtid, __ATOMIC_RELAXED) == mine; ++i) {
    if (i >= kSpins) {
      sys(kSysSchedYield);
      if (i > kSpins + 40) break;
    }
    pause_cpu();
  }
  baton_acquire(t);
}

void baton_stay(Thread* t) { emit_switch(t); }

// ---- replay --------------------------------------------------------------------------------------------------------
void turn_give(Thread* t, u32 gtid) {
  abi::Control& c = control();
  if (gtid == t->gtid) return;
  abi::ThreadSlot& to = c.threads[gtid % abi::kMaxThreads];
  __atomic_store_n(&c.baton, gtid, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&to.turn, 1, __ATOMIC_SEQ_CST);
  futex_wake(&to.turn, 1);
}

void turn_await(Thread* t) {
  abi::Control& c = control();
  for (u32 i = 0; i < kSpins; ++i) {
    if (__atomic_load_n(&c.baton, __ATOMIC_ACQUIRE) == t->gtid && !recording()) goto have;
    pause_cpu();
  }
  for (;;) {
    u32 seen = __atomic_load_n(&t->slot->turn, __ATOMIC_SEQ_CST);
    if (recording()) return join_record(t);
    if (__atomic_load_n(&c.baton, __ATOMIC_ACQUIRE) == t->gtid) break;
    if (c.processes[t->process->slot].dying) break;
    futex_wait(&t->slot->turn, seen, 200'000'000);
  }
have:
  if (US_UNLIKELY(c.processes[t->process->slot].dying)) {
    for (;;) sys(kSysExit, 0);
  }
}

void Event::malformed() {
  report_outcome_text(abi::kAgentFault, "an event in the ring does not have the form that its kind requires");
}

void peek_event(Thread* t, Event& e) {
  abi::Ring& r = control().ring;
  u64 head = __atomic_load_n(&r.head, __ATOMIC_ACQUIRE);
  while (US_UNLIKELY(head == r.tail)) {
    bool closed = __atomic_load_n(&r.closed, __ATOMIC_ACQUIRE);
    bool drain = __atomic_load_n(&control().pair.live, __ATOMIC_ACQUIRE) == abi::kLiveDrain;
    head = __atomic_load_n(&r.head, __ATOMIC_ACQUIRE);
    if (head != r.tail) break;
    if (drain) {
      begin_record(t);
      e = Event{};
      e.kind = kEvNone;
      return;
    }
    if (closed) report_outcome(t, abi::kJournalEnd);
    for (u32 i = 0; i < kSpins && head == r.tail; ++i) {
      pause_cpu();
      head = __atomic_load_n(&r.head, __ATOMIC_ACQUIRE);
    }
    if (head != r.tail) break;
    u32 seen = __atomic_load_n(&r.guest_wake, __ATOMIC_ACQUIRE);
    __atomic_store_n(&r.guest_sleeping, 1, __ATOMIC_SEQ_CST);
    ring_wake_host();
    if (__atomic_load_n(&r.head, __ATOMIC_SEQ_CST) == r.tail && !__atomic_load_n(&r.closed, __ATOMIC_SEQ_CST) &&
        __atomic_load_n(&control().pair.live, __ATOMIC_SEQ_CST) != abi::kLiveDrain)
      futex_wait(&r.guest_wake, seen, 20'000'000);
    __atomic_store_n(&r.guest_sleeping, 0, __ATOMIC_RELAXED);
    head = __atomic_load_n(&r.head, __ATOMIC_ACQUIRE);
  }
  e.start = (const u8*)abi::kRingAddr + (r.tail & (r.size - 1));
  e.reader.p = e.start;
  e.reader.end = e.start + (head - r.tail);
  if (!e.reader.array(e.left) || e.left == 0) e.malformed();
  e.kind = e.integer();
}

void consume_event(Event& e) {
  abi::Ring& r = control().ring;
  while (e.left) {
    if (!e.reader.skip()) e.malformed();
    --e.left;
  }
  u64 tail = r.tail, next = tail + (u64)(e.reader.p - e.start);
  r.tail_seq++;
  __atomic_store_n(&r.tail, next, __ATOMIC_RELEASE);
  if (US_UNLIKELY((tail ^ next) & (r.size >> 2))) ring_wake_host();
}

namespace {
// With `once`, also returns after the turn has come back for the first time.
void follow_events(Thread* t, Event& e, bool once) {
  for (;;) {
    if (US_UNLIKELY(control().until_seq && control().ring.tail_seq >= control().until_seq))
      report_outcome(t, abi::kStopped);
    peek_event(t, e);
    if (US_LIKELY(e.kind >= 0)) return;
    switch (e.kind) {
      case kEvSwitch: {
        u32 to = (u32)e.integer();
        consume_event(e);
        turn_give(t, to);
        turn_await(t);
        if (US_UNLIKELY(recording())) {
          e = Event{};
          e.kind = kEvNone;
          return;
        }
        if (once) return;
        break;
      }
      case kEvNote: consume_event(e); break;
      case kEvEndpoint: {
        const u8* address;
        u32 len;
        e.bin(address, len);
        shadow_endpoint(address, len);
        consume_event(e);
        break;
      }
      case kEvPart: follow_part(t, e); break;
      case kEvFile: {
        Event file = e;
        declare_blob(file);
        consume_event(e);
        break;
      }
      case kEvKilled: {
        u32 process = (u32)e.integer();
        consume_event(e);
        process_killed(t, process);
        break;
      }
      case kEvEnd: {
        control().exit_status = (i32)e.integer();
        consume_event(e);
        report_outcome(t, abi::kEnded);
      }
      default: return;
    }
  }
}
}  // namespace

void next_event(Thread* t, Event& e) { follow_events(t, e, false); }

bool await_return(Thread* t, Event& e) {
  follow_events(t, e, true);
  if (e.kind == kEvNone) return false;
  if (e.kind == kEvSwitch) peek_event(t, e);
  return true;
}

}  // namespace understudy
