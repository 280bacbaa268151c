// Positions inside guest code: see async.h.
//
// Replay stops the thread at the recorded program counter and compares its state with the recorded one. The cheap way is a
// stub (from the host) that a jump at that place leads to: it compares what is known to differ from one turn of the loop to
// the next, at some nanoseconds a visit, and traps only when all is equal. Where no jump fits, an int3 stops every visit and
// a miss is stepped over, at microseconds a visit.
#include "async.h"

#include "baton.h"
#include "calls.h"
#include "image.h"
#include "insn.h"
#include "live.h"
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

void poke_all(u64 addr, const u8* bytes, u32 n) {
  for (u32 i = 0; i < n; ++i) poke(addr + i, bytes[i]);
}

constexpr u64 kStubSize = 4096;

// GuestRegs order to the processor's numbering.
constexpr u8 kProcessorNumber[15] = {15, 14, 13, 12, 5, 3, 11, 10, 9, 8, 0, 1, 2, 6, 7};

bool install_stub(Thread* t, const GuestRegs& want, u64 changed_regs, const Word* words, u32 changed_words) {
  abi::ProbeSpec spec{};
  // First what is known to change from turn to turn (a counter tells more than a flag that goes back and forth, so what has many
  // bits comes first), then the other registers: every one of them must be equal anyhow, and the stub is cheaper than a trap.
  constexpr u32 kItems = sizeof spec.items / sizeof spec.items[0], kRegisters = 15;
  const u64* values = (const u64*)&want;
  auto add_registers = [&](u64 mask, bool wide) {
    for (u32 i = 0; i < kRegisters && spec.count < kItems; ++i)
      if ((mask >> i & 1) && (values[i] > 255) == wide)
        spec.items[spec.count++] = {0, kProcessorNumber[i], 0, values[i]};
  };
  add_registers(changed_regs, true);
  add_registers(changed_regs, false);
  for (u32 i = 0; i < changed_words && spec.count < kItems; ++i)
    spec.items[spec.count++] = {1, 0, words[i].addr, words[i].value};
  add_registers(~changed_regs, true);
  add_registers(~changed_regs, false);
  u64 at = map_near(want.rip, 16, kStubSize);
  if (!at) return false;
  copy_bytes((void*)abi::kRpcAddr, &spec, sizeof spec);
  abi::Rpc& q = control().rpc;
  if (rpc(abi::kRpcProbeStub, want.rip, at, 0, 0, 0, sizeof spec) != 0 || q.r[0] > kStubSize ||
      q.r[3] > sizeof t->patch_saved) {
    sys(kSysMunmap, at, kStubSize);
    return false;
  }
  u32 patch_len = (u32)q.r[3];
  // A thread that goes on in the middle of the patch would run into half an instruction.
  if (t->regs.rip > want.rip && t->regs.rip < want.rip + patch_len) {
    sys(kSysMunmap, at, kStubSize);
    return false;
  }
  copy_bytes((void*)at, (const void*)abi::kRpcAddr, q.r[0]);
  sys(kSysMprotect, at, kStubSize, kProtRead | kProtExec);
  t->stub_addr = at;
  t->stub_trap = at + q.r[1];
  t->stub_continue = at + q.r[2];
  t->patch_len = patch_len;
  copy_bytes(t->patch_saved, (const void*)want.rip, patch_len);
  poke_all(want.rip, (const u8*)abi::kRpcAddr + q.r[0], patch_len);
  t->break_on = 1;
  return true;
}

void insert_break(Thread* t) {
  if (t->break_on) return;
  t->break_byte = *(u8*)t->break_addr;
  poke(t->break_addr, 0xcc);
  t->break_on = 1;
}
void remove_break(Thread* t) {
  if (!t->break_on) return;
  if (t->stub_addr) {
    poke_all(t->break_addr, t->patch_saved, t->patch_len);
    sys(kSysMunmap, t->stub_addr, kStubSize);
    t->stub_addr = 0;
  } else {
    poke(t->break_addr, t->break_byte);
  }
  t->break_on = 0;
}

}  // namespace

namespace {
// From the PREEMPT event that is next; true when a stub waits at the position.
bool place_stub(Thread* t) {
  Event e;
  peek_event(t, e);
  const u8* regs;
  u32 n;
  e.bin(regs, n);
  if (n != sizeof(GuestRegs)) e.malformed();
  GuestRegs want;
  copy_bytes(&want, regs, sizeof want);
  t->break_addr = want.rip;
  const u8* words;
  u32 words_len, blocks_len;
  e.bin(words, words_len);
  const u8* blocks;
  e.bin(blocks, blocks_len);
  u64 changed_regs = (u64)e.integer(), changed_words = (u64)e.integer();
  constexpr u32 kUsed = 8;
  Word copies[kUsed];
  u32 used = changed_words < kUsed ? (u32)changed_words : kUsed;
  copy_bytes(copies, words, used * sizeof(Word));
  return install_stub(t, want, changed_regs, copies, used);
}
}  // namespace

void prepare_async(Thread* t) {
  t->stub_refused = 0;
  if (place_stub(t)) return;
  t->stub_refused = 1;
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
  e.bin(p, n);
  for (; n >= sizeof(Block); n -= sizeof(Block), p += sizeof(Block)) {
    Block block;
    copy_bytes(&block, p, sizeof block);
    if (sum_of(block.addr, block.len) != block.sum) return false;
  }
  return true;
}

bool step_over(Thread* t, u64* rip) {
  if (t->stub_addr) {
    *rip = t->stub_continue;
    return false;
  }
  remove_break(t);
  *rip = t->break_addr;
  // The thread stands at the position now: a stub that was refused because it stood in the middle of the patch fits.
  if (t->stub_refused == 1) {
    t->stub_refused = 2;
    if (place_stub(t)) {
      *rip = t->stub_continue;
      return false;
    }
  }
  t->stepping = 1;
  return true;
}

AsyncReason classify_trap(Thread* t, int sig, const SigInfo* info, u64 rip) {
  if (sig == kSigTrap && t->break_on && rip - 1 == (t->stub_addr ? t->stub_trap : t->break_addr)) {
    t->retry_rip = t->break_addr;
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

// A replay of what is recorded from here on begins at this position too, and waits for a SWITCH back to it.
[[noreturn]] static void go_on_live(Thread* t) {
  const u64 switches = control().stat_switches;
  if (t->draining) wait_live(t);
  if (control().stat_switches == switches) baton_stay(t);
  agent_return(t);
}

void go_on_in_code(Thread* t) {
  if (US_UNLIKELY(recording())) {
    // Restored from a checkpoint behind which the journal ends before its turn came: what is in the ring is not for it to follow.
    go_on_live(t);
  }
  Event e;
  // The journal ends with the interruption: whoever made it was to go on next.
  if (US_UNLIKELY(!await_return(t, e))) go_on_live(t);
  if (e.kind == kEvSignal && (u32)e.integer() == kInCode) deliver_recorded(t, e, kInCode);
  if (e.kind == kEvPreempt) prepare_async(t);
  // Also where the journal ends now: the primary may have gone on from here, up to its next call.
  agent_return(t);
}

extern "C" [[noreturn]] void agent_on_async(Thread* t) {
  switch ((AsyncReason)t->async_reason) {
    case kAsyncKick:
      if (t->regs.eflags & 0x400) {  // DF set: in the middle of a backward copy; the next kick will do
        set_kernel_mask(t->guest_mask);
        agent_return(t);
      }
      if (US_UNLIKELY(t->draining)) {
        drain_kicked(t);
        agent_return(t);
      }
      if (t->pending_sig) {
        append_preempt(t);
        deliver_pending(t, kInCode);
        baton_stay(t);  // not delivered: it is ignored by now
      } else if (baton_wanted()) {
        append_preempt(t);
        u64 switches = control().stat_switches;
        t->slot->resume = abi::kResumeCode;
        baton_yield(t);
        t->slot->resume = abi::kResumeCall;
        if (control().stat_switches == switches) baton_stay(t);
        deliver_pending(t, kInCode);  // one may have come while it waited for its turn
      }
      set_kernel_mask(t->guest_mask);
      agent_return(t);
    case kAsyncPosition: {
      remove_break(t);
      Event e;
      peek_event(t, e);
      consume_event(e);
      go_on_in_code(t);
    }
    case kAsyncInsn:
      if (!recording()) block_all_signals();
      answer_trapped_instruction(t);
      if (recording()) set_kernel_mask(t->guest_mask);
      agent_return(t);
    default: deliver_fault(t);
  }
  agent_return(t);
}

}  // namespace understudy
