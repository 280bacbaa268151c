// Nondeterministic instructions and clock reads: see insn.h. The clock reads are here because they are the same thing:
// a value from the processor's counter, turned into an event of a few bytes.
#include "insn.h"

#include "baton.h"
#include "calls.h"
#include "host_time.h"
#include "live.h"
#include "process.h"
#include "report.h"

namespace understudy {

namespace {

struct Value {
  u64 value;  // rdtsc: the counter; rdrand …: the number; cpuid: eax, ebx
  u64 aux;    // rdtscp: ecx; rdrand, rdseed: carry flag; cpuid: ecx, edx
};

Value execute(Thread* t, u32 kind) {
  u32 lo, hi, aux = 0;
  switch (kind) {
    case abi::kSiteRdtsc: asm volatile("rdtsc" : "=a"(lo), "=d"(hi)); return {(u64)hi << 32 | lo, 0};
    case abi::kSiteRdtscp: asm volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(aux)); return {(u64)hi << 32 | lo, aux};
    case abi::kSiteRdrand:
    case abi::kSiteRdseed: {
      u64 v;
      u8 ok;
      if (kind == abi::kSiteRdrand) asm volatile("rdrand %0; setc %1" : "=r"(v), "=q"(ok)::"cc");
      else asm volatile("rdseed %0; setc %1" : "=r"(v), "=q"(ok)::"cc");
      return {v, ok};
    }
    case abi::kSiteRdpid: {
      u64 v;
      asm volatile("rdpid %0" : "=r"(v));
      return {v, 0};
    }
    case abi::kSiteCpuid: {
      u32 a = (u32)t->regs.rax, b, c = (u32)t->regs.rcx, d;
      asm volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
      return {(u64)b << 32 | a, (u64)d << 32 | c};
    }
    default: US_ASSERT(!"unknown instruction kind");
  }
  return {0, 0};
}

Value obtain(Thread* t, u32 kind) {
  if (US_UNLIKELY(t->draining)) wait_live(t);
  if (recording()) {
    Value v = execute(t, kind);
    u8* p = ring_reserve(kSmallEvent);
    u8* q = put_array(p, 4);
    q = put_int(q, kEvInsn);
    q = put_uint(q, kind);
    q = put_uint(q, v.value);
    q = put_uint(q, v.aux);
    ring_commit(p, q);
    t->slot->events++;
    return v;
  }
  Event e;
  next_event(t, e);
  if (US_UNLIKELY(e.kind == kEvNone)) return obtain(t, kind);
  t->call.nr = 0xffffffff;
  if (e.kind != kEvInsn || (u32)e.integer() != kind)
    diverge(t, &e, abi::kKindInstruction,
            "the guest executes rdtsc, rdrand or the like where it did not when it was recorded");
  Value v;
  v.value = (u64)e.integer();
  v.aux = (u64)e.integer();
  consume_event(e);
  return v;
}

u64& register_of(Thread* t, u32 number) {  // by the processor's numbering
  GuestRegs& r = t->regs;
  u64* order[16] = {&r.rax, &r.rcx, &r.rdx, &r.rbx, &r.rsp, &r.rbp, &r.rsi, &r.rdi,
                    &r.r8,  &r.r9,  &r.r10, &r.r11, &r.r12, &r.r13, &r.r14, &r.r15};
  return *order[number & 15];
}

void apply(Thread* t, u32 kind, u32 reg, u32 operand_size, const Value& v) {
  if (kind == abi::kSiteRdtsc || kind == abi::kSiteRdtscp) {
    t->regs.rax = (u32)v.value;
    t->regs.rdx = v.value >> 32;
    if (kind == abi::kSiteRdtscp) t->regs.rcx = (u32)v.aux;
    return;
  }
  if (kind == abi::kSiteCpuid) {
    t->regs.rax = (u32)v.value;
    t->regs.rbx = v.value >> 32;
    t->regs.rcx = (u32)v.aux;
    t->regs.rdx = v.aux >> 32;
    return;
  }
  u64& r = register_of(t, reg);
  if (kind == abi::kSiteRdpid) {
    r = v.value;
    return;
  }
  bool ok = v.aux & 1;
  u64 value = ok ? v.value : 0;
  r = operand_size == 8 ? value : operand_size == 4 ? (u32)value : (r & ~0xffffull) | (value & 0xffff);
  t->flags16 = 0x200 | (ok ? 0x100 : 0);  // CF says whether there was a number; OF SF ZF AF PF are cleared
}

void after_event(Thread* t) {
  if (recording()) return;
  Event e;
  peek_event(t, e);
  if (e.kind == kEvPreempt) prepare_async(t);
}

constexpr u32 kClockSlice = 200;

using ClockGettime = int (*)(u64 clock, i64* ts);

}  // namespace

extern "C" [[noreturn]] void agent_on_insn(Thread* t) {
  u32 kind = t->insn & 0xff, reg = t->insn >> 8 & 0xff, size = t->insn >> 16 & 0xff;
  Value v = obtain(t, kind);
  apply(t, kind, reg, size, v);
  after_event(t);
  agent_return(t);
}

bool is_answered_instruction(u64 rip) {
  u8 code[3];
  if (agent_copy_safe(code, (void*)rip, 3)) return false;
  return code[0] == 0x0f && (code[1] == 0x31 || (code[1] == 0x01 && code[2] == 0xf9));
}

void answer_trapped_instruction(Thread* t) {
  const u8* code = (const u8*)t->regs.rip;
  u32 kind = code[1] == 0x31 ? abi::kSiteRdtsc : abi::kSiteRdtscp;
  sys(kSysPrctl, 26, 1, 0, 0, 0);  // PR_SET_TSC: the agent must be able to read it
  Value v = obtain(t, kind);
  sys(kSysPrctl, 26, 2, 0, 0, 0);
  apply(t, kind, 0, 0, v);
  t->regs.rip += kind == abi::kSiteRdtsc ? 2 : 3;
  after_event(t);
}

// ---- clock reads through the vDSO ----------------------------------------------------------------------------------
struct Reading {
  i64 sec, nsec;
};

// 0: `r` is the clock, an event has been appended or consumed. 1: make the system call instead.
static inline int read_clock(u64 clock, Reading& r) {
  Thread* t = current();
  abi::Control& c = control();
  // Only clocks that the kernel's vDSO reads without a system call.
  constexpr u64 kVdsoClocks = 1 << 0 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 11;
  if (US_UNLIKELY(clock >= abi::kClocks || !(kVdsoClocks >> clock & 1))) return 1;
  if (US_LIKELY(g_hot.recording)) {
    if (US_UNLIKELY(t->pending_sig || (baton_wanted() && ++t->slice > kClockSlice) || !g_hot.kernel_clock)) return 1;
    i64 ts[2];
    if (US_UNLIKELY(((ClockGettime)g_hot.kernel_clock)(clock, ts) != 0)) return 1;
    u64 now = (u64)ts[0] * 1000000000 + (u64)ts[1];
    if (US_UNLIKELY(g_hot.mono_offset) && counts_from_boot(clock)) {
      now = guest_time(clock, now);
      ts[0] = (i64)(now / 1000000000);
      ts[1] = (i64)(now % 1000000000);
    }
    u8* p = ring_reserve(kSmallEvent);
    p[0] = 0x93;  // put_array(3)
    p[1] = 0xfe;  // put_int(kEvClock)
    p[2] = (u8)clock;
    u8* q = put_int(p + 3, (i64)(now - c.clock_last_ns[clock]));
    c.clock_last_ns[clock] = now;
    ring_commit(p, q);
    r = {ts[0], ts[1]};
    return 0;
  }
  if (US_UNLIKELY(c.until_seq && c.ring.tail_seq >= c.until_seq)) return 1;
  if (US_UNLIKELY(recording())) return 1;  // not live yet: as a system call it waits for that
  Event e;
  peek_event(t, e);
  if (US_UNLIKELY(e.kind != kEvClock)) return 1;
  if ((u64)e.integer() != clock) return 1;
  u64 now = c.clock_last_ns[clock] + (u64)e.integer();
  consume_event(e);
  c.clock_last_ns[clock] = now;
  r = {(i64)(now / 1000000000), (i64)(now % 1000000000)};
  after_event(t);
  return 0;
}

// The kernel's vDSO lets a bad pointer fault; null and its neighbourhood take the system call, which says EFAULT.
static inline bool plausible_pointer(const void* p) { return (u64)p >= 0x10000; }

extern "C" int vdso_clock_gettime_c(u64 clock, i64* ts) {
  Reading r;
  if (US_UNLIKELY(!plausible_pointer(ts)) || read_clock(clock, r)) return 1;
  ts[0] = r.sec;
  ts[1] = r.nsec;
  return 0;
}

extern "C" int vdso_gettimeofday_c(i64* tv, i32* tz) {
  Reading r;
  if (US_UNLIKELY(tz != nullptr || !plausible_pointer(tv)) || read_clock(0, r)) return 1;
  tv[0] = r.sec;
  tv[1] = r.nsec / 1000;
  return 0;
}

}  // namespace understudy
