// See host_time.h.
#include "host_time.h"

#include "calls.h"

namespace understudy {

namespace {
enum : u32 { kTimerSettime = 223, kClockNanosleep = 230, kTimerfdSettime = 286 };
constexpr u64 kAbstime = 1, kFutexRealtime = 256;
constexpr u32 kWaitBitset = 9, kLockPi2 = 13;
constexpr i64 kSecond = 1'000'000'000;

struct Time {
  i64 sec, nsec;
};

// An absolute time of the guest's as the host counts; one that has passed stays in the past, and 0 (disarm) stays 0.
Time to_host(Time t) {
  if (t.sec == 0 && t.nsec == 0) return t;
  i64 ns = t.sec * kSecond + t.nsec - g_hot.mono_offset;
  if (ns < 1) ns = 1;
  return {ns / kSecond, ns % kSecond};
}

// Which clock a timer runs on is not known from its settime; the replica's notes are.
i32 clock_of_timer(Thread* t, i32 id) {
  for (auto& p : t->process->timers.posix)
    if (p.used && p.id == id) return p.clock;
  return 0;
}
}  // namespace

bool counts_from_boot(u64 clock) {
  constexpr u64 kClocksFromBoot = 1 << 1 | 1 << 4 | 1 << 6 | 1 << 7;  // MONOTONIC, _RAW, _COARSE, BOOTTIME
  return clock < abi::kClocks && (kClocksFromBoot >> clock & 1);
}

u64 guest_time(u64 clock, u64 host_ns) {
  u64 now = host_ns + (u64)g_hot.mono_offset, last = control().clock_last_ns[clock];
  return now < last ? last : now;
}

bool host_time_call(Thread* t, const Call& c, i64& ret) {
  switch (c.nr) {
    case kSysClockGettime: {
      if (!counts_from_boot(c.args[0])) return false;
      Time now;
      before_call(c, t->scratch);
      ret = sys(kSysClockGettime, c.args[0], &now);
      if (ret == 0) {
        u64 ns = guest_time(c.args[0], (u64)(now.sec * kSecond + now.nsec));
        now = {(i64)(ns / kSecond), (i64)(ns % kSecond)};
        if (agent_copy_safe((void*)c.args[1], &now, sizeof now)) ret = -kEFAULT;
      }
      ret = record_result(t, c, ret);
      return true;
    }
    case kClockNanosleep: {
      if (!(c.args[1] & kAbstime) || !counts_from_boot(c.args[0])) return false;
      Time until;
      if (agent_copy_safe(&until, (void*)c.args[2], sizeof until)) return false;
      until = to_host(until);
      Call local = c;
      local.args[2] = (u64)&until;
      ret = generic_call(t, local);
      return true;
    }
    case kTimerSettime:
    case kTimerfdSettime: {
      if (!(c.args[1] & kAbstime)) return false;
      if (c.nr == kTimerSettime && !counts_from_boot((u64)clock_of_timer(t, (i32)c.args[0]))) return false;
      // A timerfd's clock: the kernel says it (clockid) in fdinfo only; a time near the guest's monotonic one is meant for that.
      Time spec[2], now;
      if (agent_copy_safe(spec, (void*)c.args[2], sizeof spec)) return false;
      sys(kSysClockGettime, 0, &now);
      if (c.nr == kTimerfdSettime && spec[1].sec > now.sec / 2) return false;
      spec[1] = to_host(spec[1]);
      Call local = c;
      local.args[2] = (u64)spec;
      ret = generic_call(t, local);
      return true;
    }
    case kSysFutex: {
      u32 op = (u32)c.args[1] & 127;
      if ((op != kWaitBitset && op != kLockPi2) || (c.args[1] & kFutexRealtime) || !c.args[3]) return false;
      if (op == kLockPi2) return false;  // futex.cc makes that one itself
      Time until;
      if (agent_copy_safe(&until, (void*)c.args[3], sizeof until)) return false;
      until = to_host(until);
      Call local = c;
      local.args[3] = (u64)&until;
      ret = generic_call(t, local);
      return true;
    }
    default: return false;
  }
}

}  // namespace understudy
