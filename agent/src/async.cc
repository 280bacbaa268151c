// Positions inside guest code: see async.h.
//
// Replay sets a breakpoint (int3) at the recorded program counter and compares the state at each hit; a miss is stepped
// over. For a spin whose state does not change the first hit matches, which is where preemption is needed most.
#include "async.h"

#include "baton.h"
#include "calls.h"
#include "image.h"
#include "insn.h"
#include "process.h"
#include "report.h"
#include "signals.h"

namespace understudy {

namespace {

constexpr u64 kComparedFlags = 0x8d5;  // CF PF AF ZF SF OF
constexpr int kTrapTrace = 2;

void poke(u64 addr, u8 value) {
  // Through /proc/self/mem: works on read-only text and leaves the page's protection alone.
  i64 fd = sys(kSysOpen, "/proc/self/mem", 2 /* O_RDWR */ | 02000000 /* O_CLOEXEC */, 0);
  if (is_error(fd)) report_outcome_text(abi::kAgentFault, "cannot open /proc/self/mem to set a breakpoint");
  i64 n = sys(kSysPwrite, fd, &value, 1, addr);
  sys(kSysClose, fd);
  if (n != 1) report_outcome_text(abi::kAgentFault, "cannot write a breakpoint into the guest's text");
}

void insert_break(Thread* t) {
  if (t->break_on) return;
  t->break_byte = *(u8*)t->break_addr;
  poke(t->break_addr, 0xcc);
  t->break_on = 1;
}
void remove_break(Thread* t) {
  if (!t->break_on) return;
  poke(t->break_addr, t->break_byte);
  t->break_on = 0;
}

void append_preempt(Thread* t) {
  u8* p = ring_reserve(kSmallEvent);
  u8* q = put_array(p, 3);
  q = put_int(q, kEvPreempt);
  q = put_bin_head(q, sizeof(GuestRegs));
  copy_bytes(q, &t->regs, sizeof(GuestRegs));
  q += sizeof(GuestRegs);
  q = put_bin_head(q, 0);
  ring_commit(p, q);
  t->slot->events++;
  control().stat_preempts++;
}

}  // namespace

void prepare_async(Thread* t) {
  Event e;
  peek_event(t, e);
  const u8* regs;
  u32 n;
  e.bin(regs, n);
  if (n != sizeof(GuestRegs)) e.malformed();
  GuestRegs want;
  copy_bytes(&want, regs, sizeof want);
  t->break_addr = want.rip;
  insert_break(t);
}

bool position_matches(Thread* t) {
  Event e;
  peek_event(t, e);
  if (e.kind != kEvPreempt) return false;
  const u8* p;
  u32 n;
  e.bin(p, n);
  GuestRegs want;
  copy_bytes(&want, p, sizeof want);
  const u64* a = (const u64*)&want;
  const u64* b = (const u64*)&t->regs;
  for (u32 i = 0; i < sizeof(GuestRegs) / 8 - 1; ++i)
    if (a[i] != b[i]) return false;
  if ((want.eflags ^ t->regs.eflags) & kComparedFlags) return false;
  e.bin(p, n);
  for (; n >= 16; n -= 16, p += 16) {
    u64 pair[2], now;
    copy_bytes(pair, p, 16);
    if (agent_copy_safe(&now, (void*)pair[0], 8) || now != pair[1]) return false;
  }
  return true;
}

void step_over(Thread* t) {
  remove_break(t);
  t->stepping = 1;
}

AsyncReason classify_trap(Thread* t, int sig, const SigInfo* info, u64 rip) {
  if (sig == kSigTrap && t->break_on && rip - 1 == t->break_addr) {
    t->retry_rip = rip - 1;
    return kAsyncMaybe;
  }
  if (sig == kSigTrap && t->stepping && info->code == kTrapTrace) {
    t->stepping = 0;
    insert_break(t);
    t->retry_rip = rip;
    t->retry_step = 0;
    return kAsyncRetry;
  }
  if (sig == kSigSegv && is_answered_instruction(rip)) return kAsyncInsn;
  return kAsyncFault;
}

extern "C" [[noreturn]] void agent_on_async(Thread* t) {
  switch ((AsyncReason)t->async_reason) {
    case kAsyncKick:
      if (t->regs.eflags & 0x400) {  // DF set: in the middle of a backward copy; the next kick will do
        set_kernel_mask(t->guest_mask);
        agent_return(t);
      }
      if (t->pending_sig) {
        append_preempt(t);
        deliver_pending(t, kInCode);
      } else if (baton_wanted()) {
        append_preempt(t);
        baton_yield(t);
      }
      set_kernel_mask(t->guest_mask);
      agent_return(t);
    case kAsyncPosition: {
      remove_break(t);
      Event e;
      peek_event(t, e);
      consume_event(e);
      next_event(t, e);
      if (e.kind == kEvSignal && (u32)e.integer() == kInCode) deliver_recorded(t, e, kInCode);
      if (e.kind == kEvPreempt) prepare_async(t);
      agent_return(t);
    }
    case kAsyncInsn:
      if (!recording()) block_all_signals();
      answer_trapped_instruction(t);
      if (recording()) set_kernel_mask(t->guest_mask);
      agent_return(t);
    default:
      deliver_fault(t);
  }
  agent_return(t);
}

}  // namespace understudy
