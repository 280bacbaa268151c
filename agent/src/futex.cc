// Priority-inheriting futexes. The kernel writes their word by itself, at moments that no event could name: a blocked
// locker's WAITERS bit makes the owner's unlock in user space fail or not. So the agent keeps the protocol of the word
// (tid, WAITERS, OWNER_DIED) itself, while it has the baton, and the kernel only lets threads sleep and wakes them.
// What is lost is the inheritance of priorities, which no result of the program may depend on.
//
// Events: each call gives one with its result and the word; a locker that has to wait gives one with kNotMade before,
// which carries the word with the WAITERS bit. In replay the words come from these events.
//
// The sleepers' futexes are never private: the agent's wakes at a thread's end (robust lists) are not either.
#include "baton.h"
#include "calls.h"
#include "signals.h"

namespace understudy {

namespace {

// clang-format off
enum : u32 {
  kWake = 1, kLockPi = 6, kUnlockPi = 7, kTrylockPi = 8, kWaitBitset = 9, kWaitRequeuePi = 11, kCmpRequeuePi = 12, kLockPi2 = 13,
};
// clang-format on
constexpr u64 kRealtime = 256;
constexpr u32 kTidBits = 0x3fffffff, kWaiters = 0x80000000;
constexpr i64 kESRCH = 3, kEDEADLK = 35;

i64 wake(u64 word, u32 most) { return sys(kSysFutex, word, kWake, most, 0, 0, 0); }

// Sleeps while the word is `value`. A signal that the guest takes is delivered from here and the call made again.
i64 sleep_on(Thread* t, u64 word, u32 value, u64 timeout, u64 clock) {
  u64 args[6] = {word, kWaitBitset | clock, value, timeout, 0, 0xffffffff};
  bool others = group_has_others();
  if (others) baton_release(t);
  i64 r = agent_interruptible(kSysFutex, args);
  if (others) baton_acquire(t);
  if (r == kNotMade || r == -kEINTR) {
    if (t->pending_sig) deliver_pending(t, kBeforeCall);
    return -kEINTR;
  }
  return r;
}

i64 lock(Thread* t, u64 word, u64 timeout, u64 clock, bool only_try) {
  u32 tid = (u32)sys(kSysGettid), v;
  if (word & 3) return -kEINVAL;
  for (bool expired = false;;) {
    if (agent_copy_safe(&v, (void*)word, 4)) return -kEFAULT;
    u32 owner = v & kTidBits;
    if (owner == tid) return -kEDEADLK;
    u32 now = owner ? v | kWaiters : v | tid;
    if (owner) {
      if (only_try) return -kEAGAIN;
      if (expired) return -kETIMEDOUT;
      if (sys(kSysTkill, owner, 0) == -kESRCH) return -kESRCH;
    }
    if (now != v && agent_copy_safe((void*)word, &now, 4)) return -kEFAULT;
    if (!owner) return 0;
    if (now != v) record_result(t, t->call, kNotMade);
    i64 r = sleep_on(t, word, now, timeout, clock);
    expired = r == -kETIMEDOUT;
    if (r != 0 && r != -kEAGAIN && r != -kEINTR && !expired) return r;
  }
}

i64 unlock(u64 word) {
  u32 tid = (u32)sys(kSysGettid), v;
  if (word & 3) return -kEINVAL;
  if (agent_copy_safe(&v, (void*)word, 4)) return -kEFAULT;
  if ((v & kTidBits) != tid) return -kEPERM;
  // While somebody is on the way, the bit keeps others from taking and leaving the lock in user space, which would forget
  // those who still sleep. It is written before the wake: who is about to sleep then finds another word.
  u32 now = v & kWaiters, free = 0;
  if (agent_copy_safe((void*)word, &now, 4)) return -kEFAULT;
  if (now && wake(word, 1) <= 0) agent_copy_safe((void*)word, &free, 4);
  return 0;
}

i64 wait_then_lock(Thread* t, const u64* a, u64 clock) {
  if (a[0] == a[4]) return -kEINVAL;
  i64 r;
  do r = sleep_on(t, a[0], (u32)a[2], a[3], clock);
  while (r == -kEINTR);
  return r ? r : lock(t, a[4], a[3], clock, false);
}

i64 compare_and_wake(const u64* a) {
  u32 v;
  if (a[0] == a[4] || (u32)a[2] != 1 || (i32)a[3] < 0) return -kEINVAL;
  if (agent_copy_safe(&v, (void*)a[0], 4)) return -kEFAULT;
  return v == (u32)a[5] ? wake(a[0], 1 + (u32)a[3]) : -kEAGAIN;
}

}  // namespace

bool is_pi_futex(const Call& call) {
  u32 op = (u32)call.args[1] & 127;
  return op == kLockPi || op == kUnlockPi || op == kTrylockPi || op == kWaitRequeuePi || op == kCmpRequeuePi ||
         op == kLockPi2;
}

i64 call_pi_futex(Thread* t) {
  if (!recording()) {
    i64 ret;
    do ret = replay_result(t, t->call);
    while (ret == kNotMade);
    return ret;
  }
  before_call(t->call, t->scratch);
  const u64* a = t->call.args;
  u64 clock = a[1] & kRealtime;
  i64 ret = -kEINVAL;
  switch ((u32)a[1] & 127) {
    case kLockPi: ret = lock(t, a[0], a[3], kRealtime, false); break;
    case kLockPi2: ret = lock(t, a[0], a[3], clock, false); break;
    case kTrylockPi: ret = lock(t, a[0], 0, 0, true); break;
    case kUnlockPi: ret = unlock(a[0]); break;
    case kWaitRequeuePi: ret = wait_then_lock(t, a, clock); break;
    case kCmpRequeuePi: ret = compare_and_wake(a); break;
    default: break;
  }
  return record_result(t, t->call, ret);
}

}  // namespace understudy
