// The baton: one thread of the whole guest group runs guest code at a time, and the order in which it changes hands is
// the order of the journal. Record decides the order (whoever comes first), replay obeys the journal.
#pragma once
#include "ring.h"

namespace understudy {

void baton_acquire(Thread* t);
// For the child of a vfork: from its parent, which has the baton and sleeps. False: the host has taken it, the parent is dead.
bool baton_inherit(Thread* child, Thread* parent, void (*before)(Thread* child));  // record; appends SWITCH when the previous holder was another thread
void baton_release(Thread* t);  // record
// record: the holder is in a call that is not expected to block. It keeps the baton, but a waiter may take it after a while.
void baton_lend(Thread* t);
void baton_reclaim(Thread* t);
void baton_yield(Thread* t);          // record: release, let a waiter have it, acquire
void turn_give(Thread* t, u32 gtid);  // replay: hand over to the thread that the journal names
void turn_await(Thread* t);           // replay: wait until this thread's turn

// record: asks the host to interrupt a thread that makes no event for a while (a waiter for the baton, or a signal).
void ask_for_kick(u32 gtid);

// True when other threads of the group are waiting to run (record).
inline bool baton_wanted() { return __atomic_load_n(&control().baton_waiters, __ATOMIC_RELAXED) != 0; }
inline bool group_has_others() { return control().live_threads > 1; }

// Next event for this thread: hands the turn over at SWITCH events and waits for it to come back.
void next_event(Thread* t, Event& e);

}  // namespace understudy
