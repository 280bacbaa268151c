// See timers.h.
#include "timers.h"

namespace understudy {

namespace {
enum : u32 { kAlarm = 37, kSetitimer = 38, kTimerCreate = 222, kTimerSettime = 223, kTimerDelete = 226 };
constexpr u64 kPrTimerCreateRestoreIds = 77;

Timers& timers(Thread* t) { return t->process->timers; }

Timers::Posix* find(Thread* t, i32 id) {
  for (auto& p : timers(t).posix)
    if (p.used && p.id == id) return &p;
  return nullptr;
}
}  // namespace

bool timer_call(Thread* t, const Call& c, i64 ret) {
  (void)ret;
  switch (c.nr) {
    case kAlarm: {
      Timers::Interval& i = timers(t).interval[0];
      i = {};
      i.value[0] = (i64)(u32)c.args[0];
      return true;
    }
    case kSetitimer:
      if (c.args[0] < 3 && c.args[1])
        copy_bytes(&timers(t).interval[c.args[0]], (const void*)c.args[1], sizeof(Timers::Interval));
      return true;
    case kTimerCreate: {
      for (auto& p : timers(t).posix)
        if (!p.used) {
          p.used = 1;
          p.clock = (i32)c.args[0];
          p.id = *(const i32*)c.args[2];
          p.has_event = c.args[1] != 0;
          if (p.has_event) copy_bytes(p.event, (const void*)c.args[1], sizeof p.event);
          p.set = 0;
          return true;
        }
      return true;
    }
    case kTimerSettime:
      if (Timers::Posix* p = find(t, (i32)c.args[0])) {
        p->set = 1;
        p->flags = (i32)c.args[1];
        copy_bytes(p->spec, (const void*)c.args[2], sizeof p->spec);
      }
      return true;
    case kTimerDelete:
      if (Timers::Posix* p = find(t, (i32)c.args[0])) p->used = 0;
      return true;
    default: return false;
  }
}

void timer_fired(Thread* t, const SigInfo& info) {
  constexpr i32 kKernel = 0x80, kTimer = -2;
  Timers& all = timers(t);
  if (info.code == kKernel) {
    // SIGALRM, SIGVTALRM, SIGPROF
    u32 which = info.signo == 14 ? 0 : info.signo == 26 ? 1 : info.signo == 27 ? 2 : 3;
    if (which < 3)
      copy_bytes(all.interval[which].value, all.interval[which].interval, sizeof all.interval[which].value);
  }
  if (info.code == kTimer)
    if (Timers::Posix* p = find(t, (i32)info.rest[0])) {
      // spec: interval, then value. The next one is an interval away; a single one is over.
      copy_bytes(p->spec + 2, p->spec, 2 * sizeof p->spec[0]);
      p->flags = 0;
      p->set = p->spec[0] || p->spec[1];
    }
}

void timers_go_live(Thread* t) {
  Timers& all = timers(t);
  for (u32 i = 0; i < 3; ++i) {
    Timers::Interval& v = all.interval[i];
    if (v.value[0] || v.value[1]) sys(kSetitimer, i, &v, 0);
  }
  bool any = false;
  for (auto& p : all.posix) any = any || p.used;
  if (!any) return;
  // The guest knows its timers by their numbers (prctl since Linux 6.15).
  sys(kSysPrctl, kPrTimerCreateRestoreIds, 1, 0, 0, 0);
  for (auto& p : all.posix) {
    if (!p.used) continue;
    i32 id = p.id;
    if (sys(kTimerCreate, p.clock, p.has_event ? p.event : nullptr, &id) == 0 && p.set)
      sys(kTimerSettime, id, p.flags, p.spec, 0);
  }
  sys(kSysPrctl, kPrTimerCreateRestoreIds, 0, 0, 0, 0);
}

}  // namespace understudy
