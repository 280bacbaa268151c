// Signals: the kernel delivers to the agent, the agent delivers to the guest, at agent events only (or at positions in
// guest code that a PREEMPT event describes), so that replay can deliver at the same place.
#pragma once
#include "ring.h"

namespace understudy {

inline constexpr u64 signal_bit(int sig) { return 1ull << (sig - 1); }
// clang-format off
enum { kSigIll = 4, kSigTrap = 5, kSigAbrt = 6, kSigBus = 7, kSigFpe = 8, kSigKill = 9, kSigSegv = 11, kSigPipe = 13, kSigChld = 17,
       kSigCont = 18, kSigStop = 19, kSigTstp = 20, kSigTtin = 21, kSigTtou = 22, kSigUrg = 23, kSigWinch = 28, kSigSys = 31 };
// clang-format on
// Never blocked at the kernel: SIGSYS carries trapped calls and kicks, the others are faults, which would kill.
inline constexpr u64 kReservedMask = signal_bit(kSigSys) | signal_bit(kSigTrap) | signal_bit(kSigSegv) |
                                     signal_bit(kSigBus) | signal_bit(kSigFpe) | signal_bit(kSigIll);
inline constexpr u64 kUnblockable = signal_bit(kSigKill) | signal_bit(kSigStop);
inline constexpr u64 kSaNodefer = 0x40000000, kSaResethand = 0x80000000, kSaRestart = 0x10000000,
                     kSaOnstack = 0x08000000, kSaSiginfo = 4, kSaRestorer = 0x04000000;

// Where a SIGNAL event stands relative to the guest's code.
enum SignalPlace : u32 { kAfterCall = 0, kBeforeCall = 1, kInCode = 2, kFault = 3 };

bool ignores_by_default(int sig);
bool is_ignored(const SigAction& action, int sig);  // the kernel drops it, unless it is blocked
inline bool stops_by_default(int sig) {
  return sig == kSigStop || sig == kSigTstp || sig == kSigTtin || sig == kSigTtou;
}
void install_for(Thread* t, int sig);           // what the kernel does with a signal, given what the guest asked for
void install_handlers(Thread* t, u64 ignored);  // for a fresh image
void install_replay_handlers();
void reinstall_handlers(Thread* t);  // a replica that goes live: what the guest has asked for is the kernel's to do now
// replay with true processes: whether the kernel keeps ended children, as the guest wants it
void replay_child_signal(Thread* t);
void arm_thread(Thread* t);            // alternate stack and Syscall User Dispatch for the calling thread
void set_kernel_mask(u64 guest_mask);  // record: what the guest blocks, minus what the agent needs
void block_all_signals();

// record: whether t->pending has to be delivered; if not (the guest blocks or ignores it by now), it is pending no more.
bool signal_is_due(Thread* t);
// record: delivers t->pending if the guest takes it now; returns only when there is nothing to deliver.
void deliver_pending(Thread* t, SignalPlace place);
// replay: delivers the signal of SIGNAL event `e` (its place already read). Does not return.
[[noreturn]] void deliver_recorded(Thread* t, Event& e, SignalPlace place);
// drain: the journal ended at a call of the guest, which returned `ret`.
void deliver_due(Thread* t, i64 ret);
// record: would the pending signal's handler let the interrupted call restart?
bool pending_restarts(Thread* t);

}  // namespace understudy
