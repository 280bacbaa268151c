// Signals that the guest blocks and the kernel must not (kReservedMask): when somebody sends one, the thread holds it until the guest
// blocks it no more. All others the kernel holds.
//
// Invariants:
//  - Each signal is held once: standard signals do not queue.
//  - In replay nothing is held; the journal says what is delivered.
//
// Must not: deliver anything. What is released becomes the thread's pending signal.
#pragma once
#include "signals.h"

namespace understudy {

inline u64 held_signals(const Thread* t) {
  u64 set = 0;
  for (const SigInfo& h : t->held)
    if (h.signo) set |= signal_bit(h.signo);
  return set;
}

inline void hold(Thread* t, const SigInfo& info) {
  if (held_signals(t) & signal_bit(info.signo)) return;  // such signals do not queue
  for (SigInfo& h : t->held)
    if (!h.signo) {
      copy_bytes(&h, &info, sizeof h);
      return;
    }
}

// Takes the lowest of `set`; false when none is held.
inline bool take_held(Thread* t, u64 set, SigInfo& info) {
  set &= held_signals(t);
  if (!set) return false;
  for (SigInfo& h : t->held)
    if (h.signo == __builtin_ctzll(set) + 1) {
      copy_bytes(&info, &h, sizeof info);
      h.signo = 0;
    }
  return true;
}

// record, after a change of what the guest blocks: what it no longer does is delivered when the call is left.
inline void release_held(Thread* t, u64 mask) {
  if (t->pending_sig || !take_held(t, ~mask, t->pending)) return;
  block_all_signals();
  t->pending_sig = (u32)t->pending.signo;
}

}  // namespace understudy
