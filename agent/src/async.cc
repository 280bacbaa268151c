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

// ---- the state that tells one visit of a program counter from another ---------------------------------------------------
constexpr u32 kProbeSteps = 600;          // instructions; a longer loop is told apart by registers and stack alone
constexpr u64 kSnapshotAddr = abi::kThreadsAddr + kThreadMax * kThreadBlock;
constexpr u64 kSnapshotSize = 1 << 20, kRangeMax = 256 << 10, kStackBelow = 128, kStackAbove = 4096;
constexpr u32 kRangesMax = 48, kWordsMax = 48, kStackWords = 64;
static_assert(kSnapshotAddr + kSnapshotSize < abi::kRingAddr);

Range g_ranges[kRangesMax];
u32 g_range_count;
bool g_snapshot_mapped;

struct Word {
  u64 addr, value;
};
struct Block {
  u64 addr, len, sum;
};

u64 sum_of(u64 addr, u64 len) {
  u64 crc = 0;
  for (u64 i = 0; i < len; i += 8) crc = __builtin_ia32_crc32di(crc, *(const u64*)(addr + i));
  return crc;
}

void append_preempt(Thread* t) {
  Word words[kWordsMax + kStackWords];
  u32 n = 0;
  // Words that changed while the probe stepped through one iteration.
  u64 at = kSnapshotAddr;
  for (u32 i = 0; i < g_range_count; ++i) {
    const u64* now = (const u64*)g_ranges[i].addr;
    const u64* then = (const u64*)at;
    for (u64 k = 0; k < g_ranges[i].len / 8 && n < kWordsMax; ++k)
      if (now[k] != then[k]) words[n++] = {(u64)(now + k), now[k]};
    at += g_ranges[i].len;
  }
  // The stack around its pointer: locals that did not change in this iteration but do in an outer loop.
  u64 from = (t->regs.rsp - kStackBelow) & ~7ull;
  for (u32 k = 0; k < kStackWords; ++k) {
    u64 value;
    if (agent_copy_safe(&value, (const void*)(from + 8 * k), 8)) break;
    words[n++] = {from + 8 * k, value};
  }
  Block blocks[kRangesMax];
  u32 m = 0;
  for (u32 i = 0; i < g_range_count; ++i)
    if (g_ranges[i].program) blocks[m++] = {g_ranges[i].addr, g_ranges[i].len, sum_of(g_ranges[i].addr, g_ranges[i].len)};
  u8* p = ring_reserve(kLargeEvent);
  u8* q = put_array(p, 4);
  q = put_int(q, kEvPreempt);
  q = put_bin_head(q, sizeof(GuestRegs));
  copy_bytes(q, &t->regs, sizeof(GuestRegs));
  q += sizeof(GuestRegs);
  q = put_bin_head(q, n * sizeof(Word));
  copy_bytes(q, words, n * sizeof(Word));
  q += n * sizeof(Word);
  q = put_bin_head(q, m * sizeof(Block));
  copy_bytes(q, blocks, m * sizeof(Block));
  ring_commit(p, q + m * sizeof(Block));
  g_range_count = 0;
  t->slot->events++;
  control().stat_preempts++;
}

}  // namespace

void start_probe(Thread* t, u64 rip, u64 rsp) {
  if (!g_snapshot_mapped) {
    i64 r = sys(kSysMmap, kSnapshotAddr, kSnapshotSize, kProtRead | kProtWrite, kMapPrivate | kMapAnon | kMapFixed, -1, 0);
    US_ASSERT(r == (i64)kSnapshotAddr);
    g_snapshot_mapped = true;
  }
  Range found[kRangesMax];
  u32 n = writable_ranges(found, kRangesMax - 1, kRangeMax);
  g_range_count = 0;
  u64 used = 0;
  auto keep = [&](const Range& r) {
    if (used + r.len > kSnapshotSize) return;
    if (agent_copy_safe((void*)(kSnapshotAddr + used), (const void*)r.addr, r.len)) return;
    g_ranges[g_range_count++] = r;
    used += r.len;
  };
  u64 low = (rsp - kStackBelow) & ~7ull;
  for (u64 len = kStackBelow + kStackAbove; len >= 256; len /= 2) {
    u32 before = g_range_count;
    keep({low, len, false});
    if (g_range_count != before) break;
  }
  for (int own = 1; own >= 0; --own)
    for (u32 i = 0; i < n; ++i)
      if (found[i].program == (bool)own) keep(found[i]);
  t->probing = 1;
  t->probe_steps = 0;
  t->probe_rip = rip;
}

bool probe_step(Thread* t, u64 rip) { return rip == t->probe_rip || ++t->probe_steps >= kProbeSteps; }

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
  e.bin(p, n);
  for (; n >= sizeof(Block); n -= sizeof(Block), p += sizeof(Block)) {
    Block block;
    copy_bytes(&block, p, sizeof block);
    if (sum_of(block.addr, block.len) != block.sum) return false;
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
