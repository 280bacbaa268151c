// Record: what to write into a PREEMPT event, so that replay finds the position again (async.h).
//
// A thread that computes or spins is single-stepped through its loop, at most a few thousand instructions:
//   first pass   the program counters that one turn visits; the host picks one that replay can put a jump at;
//   second pass  up to that one: registers and a snapshot of memory are kept;
//   third pass   to it again: what differs now tells one turn of the loop from the next.
// Code that does not come back within the bound is no tight loop: its position is described by registers and stack alone.
#include "async.h"
#include "baton.h"
#include "calls.h"
#include "image.h"
#include "report.h"
#include "signals.h"

namespace understudy {

namespace {

// ---- the state that tells one visit of a program counter from another ---------------------------------------------------
constexpr u32 kProbeSteps = 700;    // instructions in the first pass
constexpr u32 kReturnSteps = 3000;  // and in each of the others
constexpr u64 kSnapshotAddr = abi::kThreadsAddr + kThreadMax * kThreadBlock;
constexpr u64 kSnapshotSize = 24 << 20, kRangeMax = 4 << 20, kBlockMax = 256 << 10, kStackBelow = 128,
              kStackAbove = 4096;
constexpr u32 kSpinTurn = 40, kPatienceMax = 160;
constexpr u32 kRangesMax = 48, kWordsMax = 48, kStackWords = 64;
static_assert(kSnapshotAddr + kSnapshotSize < abi::kRingAddr);

Range g_ranges[kRangesMax];
bool g_copied[kRangesMax];  // into the snapshot; the others' sums only are wanted
u32 g_range_count;
bool g_snapshot_mapped;
u64 g_visited[kProbeSteps];  // program counters of the first pass, in order
GuestRegs g_first;           // registers at the first visit of the chosen one
bool g_first_known;
u32 g_turn;     // instructions of the third pass
u32 g_repeats;  // steps within repeated string instructions

// Loops in which threads were found spinning. A copy of all memory, to see what changes in a turn, costs milliseconds; where one has shown
// that the very same instructions change nothing, the next interruption there does without.
struct Spin {
  u64 low, high;  // program counters of a turn
  u64 path;       // sum over them, whichever comes first
};
constexpr u32 kSpins = 16;
Spin g_spins[kSpins];
u32 g_next_spin;
Spin g_here;  // of the probe that is under way
bool g_known_path;

void note_path(u64 count) {
  g_known_path = false;
  g_here = {};
  if (count > kSpinTurn) return;
  g_here = {~0ull, 0, count};
  for (u64 i = 0; i < count; ++i) {
    const u64 pc = g_visited[i];
    if (pc < g_here.low) g_here.low = pc;
    if (pc > g_here.high) g_here.high = pc;
    g_here.path += (pc ^ pc >> 7) * 0x9E3779B97F4A7C15ull;
  }
  for (const Spin& s : g_spins) g_known_path |= s.low == g_here.low && s.high == g_here.high && s.path == g_here.path;
}

}  // namespace

bool is_known_spin(u64 rip) {
  for (const Spin& s : g_spins)
    if (rip >= s.low && rip <= s.high) return true;
  return false;
}

void append_preempt(Thread* t) {
  Word words[kWordsMax + kStackWords];
  u32 n = 0;
  // Words that changed while the probe stepped through one iteration.
  u64 at = kSnapshotAddr;
  for (u32 i = 0; i < g_range_count; ++i) {
    if (!g_copied[i]) continue;
    const u64* now = (const u64*)g_ranges[i].addr;
    const u64* then = (const u64*)at;
    for (u64 k = 0; k < g_ranges[i].len / 8 && n < kWordsMax; ++k)
      if (now[k] != then[k]) words[n++] = {(u64)(now + k), now[k]};
    at += g_ranges[i].len;
  }
  u32 changed_words = n;
  u64 changed_regs = 0;
  u32 changed_count = 0;
  if (g_first_known) {
    const u64* then_regs = (const u64*)&g_first;
    const u64* now_regs = (const u64*)&t->regs;
    for (u32 i = 0; i < 15; ++i)
      if (then_regs[i] != now_regs[i]) {
        changed_regs |= 1ull << i;
        ++changed_count;
      }
  } else {
    changed_words = 0;  // no second visit: nothing is known to differ from visit to visit
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
    if (g_ranges[i].program && g_ranges[i].len <= kBlockMax)
      blocks[m++] = {g_ranges[i].addr, g_ranges[i].len, sum_of(g_ranges[i].addr, g_ranges[i].len)};
  u8* p = ring_reserve(kLargeEvent);
  u8* q = put_array(p, 6);
  q = put_int(q, kEvPreempt);
  q = put_bin_head(q, sizeof(GuestRegs));
  copy_bytes(q, &t->regs, sizeof(GuestRegs));
  q += sizeof(GuestRegs);
  q = put_bin_head(q, n * sizeof(Word));
  copy_bytes(q, words, n * sizeof(Word));
  q += n * sizeof(Word);
  q = put_bin_head(q, m * sizeof(Block));
  copy_bytes(q, blocks, m * sizeof(Block));
  q += m * sizeof(Block);
  q = put_uint(q, changed_regs);
  q = put_uint(q, changed_words);
  ring_commit(p, q);
  if (g_snapshot_mapped) sys(kSysMadvise, kSnapshotAddr, kSnapshotSize, 4 /* MADV_DONTNEED */);
  g_range_count = 0;
  // A short loop in which hardly anything changes waits for somebody: it is interrupted soon each time. Anything else computes,
  // and is left alone for longer and longer, since every interruption costs milliseconds of single steps.
  bool spins = g_first_known && g_turn <= kSpinTurn && changed_count + changed_words <= 3;
  u32 patience = t->slot->patience_ms;
  t->slot->patience_ms = spins ? 0 : patience < kPatienceMax ? patience * 2 + 5 : kPatienceMax;
  if (spins && changed_words == 0 && !g_known_path && g_here.high != 0) g_spins[g_next_spin++ % kSpins] = g_here;
  g_first_known = false;
  t->slot->events++;
  control().stat_preempts++;
}

namespace {

// `light`: the stack, and which ranges' sums are wanted.
void snapshot(u64 rsp, bool light) {
  if (!g_snapshot_mapped) {
    i64 r = sys(kSysMmap, kSnapshotAddr, kSnapshotSize, kProtRead | kProtWrite, kMapPrivate | kMapAnon | kMapFixed, -1,
                0);
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
    g_copied[g_range_count] = true;
    g_ranges[g_range_count++] = r;
    used += r.len;
  };
  u64 low = (rsp - kStackBelow) & ~7ull;
  for (u64 len = kStackBelow + kStackAbove; len >= 256; len /= 2) {
    u32 before = g_range_count;
    keep({low, len, false});
    if (g_range_count != before) break;
  }
  if (light) {
    for (u32 i = 0; i < n; ++i) {
      if (!found[i].program || found[i].len > kBlockMax) continue;
      g_copied[g_range_count] = false;
      g_ranges[g_range_count++] = found[i];
    }
    return;
  }
  for (int own = 1; own >= 0; --own)
    for (u32 i = 0; i < n; ++i)
      if (found[i].program == (bool)own) keep(found[i]);
}

bool pick_site(Thread* t) {
  copy_bytes((void*)abi::kRpcAddr, g_visited, t->probe_steps * 8);
  if (rpc(abi::kRpcPickSite, t->probe_steps, 0, 0, 0, 0, t->probe_steps * 8) != 0) return false;
  u64 index = control().rpc.r[0];
  if (index >= t->probe_steps) return false;
  t->probe_rip = g_visited[index];
  return true;
}

enum Pass : u8 { kPassNone = 0, kPassCollect = 1, kPassFirst = 2, kPassSecond = 3 };

}  // namespace

bool repeats_at(u64 rip) {
  u8 code[5] = {};
  for (u32 i = 0; i < sizeof code && agent_copy_safe(&code[i], (const void*)(rip + i), 1) == 0; ++i) {}
  bool repeat = false;
  for (u8 byte : code) {
    if (byte == 0xf2 || byte == 0xf3) repeat = true;
    else if (byte != 0x66 && byte != 0x67 && (byte & 0xf0) != 0x40)
      return repeat &&
             ((byte >= 0xa4 && byte <= 0xa7) || (byte >= 0xaa && byte <= 0xaf) || (byte >= 0x6c && byte <= 0x6f));
  }
  return false;
}

void start_probe(Thread* t, u64 rip) {
  g_repeats = 0;
  t->probing = kPassCollect;
  t->probe_steps = 0;
  t->probe_rip = rip;
  g_first_known = false;
  g_known_path = false;
  g_here = {};
  g_range_count = 0;
  g_visited[t->probe_steps++] = rip;
}

ProbeStep probe_step(Thread* t, const GuestRegs& regs) {
  if (repeats_at(regs.rip)) return ++g_repeats < kReturnSteps ? kProbeOn : kProbeGivenUp;
  bool there = regs.rip == t->probe_rip;
  switch (t->probing) {
    case kPassCollect:
      if (!there && t->probe_steps < kProbeSteps) {
        g_visited[t->probe_steps++] = regs.rip;
        return kProbeOn;
      }
      note_path(t->probe_steps);
      if (!pick_site(t)) t->probe_rip = regs.rip;
      t->probing = kPassFirst;
      t->probe_steps = 0;
      there = regs.rip == t->probe_rip;
      [[fallthrough]];
    case kPassFirst:
      if (there) {
        g_first = regs;
        snapshot(regs.rsp, g_known_path);
        t->probing = kPassSecond;
        t->probe_steps = 0;
        return kProbeOn;
      }
      return ++t->probe_steps >= kReturnSteps ? kProbeDone : kProbeOn;
    default:
      g_first_known = there;
      g_turn = t->probe_steps;
      return there || ++t->probe_steps >= kReturnSteps ? kProbeDone : kProbeOn;
  }
}

}  // namespace understudy
