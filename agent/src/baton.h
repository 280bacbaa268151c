// The baton: one thread of the whole guest group runs guest code at a time, and the order in which it changes hands is
// the order of the journal. Record decides the order (whoever comes first), replay obeys the journal.
#pragma once
#include "ring.h"

namespace understudy {

inline constexpr u32 kBatonLent = 0x80000000;
inline constexpr u32 kBatonHost = 0x7fffffff;  // instead of a gtid: the host has it

// True when other threads of the group are waiting to run (record).
inline bool baton_wanted() { return __atomic_load_n(&control().baton_waiters, __ATOMIC_RELAXED) != 0; }
inline bool group_has_others() { return control().live_threads > 1; }

// record. For the child of a vfork: from its parent, which has the baton and sleeps. False: the host has taken it, the parent is dead.
bool baton_inherit(Thread* child, Thread* parent, void (*before)(Thread* child));
void baton_contend(Thread* t);   // record: acquires a baton that is not free
void baton_received(Thread* t);  // record: what is due when another thread had the baton, or may have
void baton_wake();               // record: somebody waits for the baton, which is free

// record; appends SWITCH when the previous holder was another thread
inline void baton_acquire(Thread* t) {
  abi::Control& c = control();
  u32 expected = 0;
  if (US_UNLIKELY(
          !__atomic_compare_exchange_n(&c.baton, &expected, t->gtid, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
    baton_contend(t);
  t->slice = 0;
  // If nobody had it meanwhile, nobody has ended this process either (exit_group, execve): that is done with the baton in hand.
  if (US_UNLIKELY(c.last_gtid != t->gtid)) baton_received(t);
}

// record
inline void baton_release(Thread* t) {
  t->slot->patience_ms = 0;
  __atomic_exchange_n(&control().baton, 0, __ATOMIC_SEQ_CST);
  if (US_UNLIKELY(baton_wanted())) baton_wake();
}

// record: the holder is in a call that is not expected to block. It keeps the baton, but a waiter may take it after a while.
inline void baton_lend(Thread* t) { __atomic_store_n(&control().baton, t->gtid | kBatonLent, __ATOMIC_RELEASE); }
inline void baton_reclaim(Thread* t) {
  u32 mine = t->gtid | kBatonLent;
  if (US_UNLIKELY(
          !__atomic_compare_exchange_n(&control().baton, &mine, t->gtid, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)))
    baton_acquire(t);
}

void baton_yield(Thread* t);  // record: release, let a waiter have it, acquire
// record, behind a PREEMPT after which nobody else had the baton: SWITCH to the same thread. In replay the first SWITCH back ends the
// interruption; without one, the next hand-over, many instructions later, would be taken for it.
void baton_stay(Thread* t);
void turn_give(Thread* t, u32 gtid);  // replay: hand over to the thread that the journal names
void turn_await(Thread* t);           // replay: wait until this thread's turn

// record: asks the host to interrupt a thread that makes no event for a while (a waiter for the baton, or a signal).
void ask_for_kick(u32 gtid);

// Next event for this thread: hands the turn over at SWITCH events and waits for it to come back.
void next_event(Thread* t, Event& e);
// replay, behind a PREEMPT: the same up to the first time that the turn comes back, and no further: the guest's own code goes on then,
// and it may be that code, not an event, after which somebody else has the turn. False: the journal has ended before.
bool await_return(Thread* t, Event& e);

}  // namespace understudy
