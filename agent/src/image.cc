// Fresh images: the first code of the agent after an execve, the START event, and its reverse. See image.h.
//
// Start-up in record, in order (each step says why it precedes the next):
//   1. own thread block, so that gs works and faults can be reported;
//   2. what the kernel made of the execve is read: auxiliary vector, mappings, program break;
//   3. the auxiliary vector is changed (our vDSO), before the stack is recorded;
//   4. START is appended, then the text of the program and of its loader is patched (PATCH events follow START);
//   5. signal handlers, alternate stack and Syscall User Dispatch last: from here on every call of the thread is caught.
#include "image.h"

#include "baton.h"
#include "blobs.h"
#include "calls.h"
#include "fast.h"
#include "pids.h"
#include "process.h"
#include "report.h"
#include "restore.h"
#include "shadow.h"
#include "signals.h"

namespace understudy {

extern "C" {
extern char agent_vdso_begin[];
extern char agent_vdso_clock_gettime[], agent_vdso_gettimeofday[], agent_vdso_time[], agent_vdso_getcpu[],
    agent_vdso_getres[], agent_vdso_getrandom[];
}

namespace {

constexpr u64 kPage = 4096;
enum { kAtNull = 0, kAtPhdr = 3, kAtPhnum = 5, kAtBase = 7, kAtEntry = 9, kAtSysinfoEhdr = 33 };

struct Ehdr {
  u8 ident[16];
  u16 type, machine;
  u32 version;
  u64 entry, phoff, shoff;
  u32 flags;
  u16 ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};
struct Phdr {
  u32 type, flags;
  u64 offset, vaddr, paddr, filesz, memsz, align;
};
struct Sym {
  u32 name;
  u8 info, other;
  u16 shndx;
  u64 value, size;
};

struct Region {
  u64 begin, end, offset;
  u64 prot;
  bool shared;
  bool is_stack, is_special, is_file;
  char* path;
};
constexpr u32 kRegionsMax = 256;
Region g_regions[kRegionsMax];
u32 g_region_count;
char g_maps[64 << 10];

struct Trampolines {
  u64 begin, end;
};
constexpr u32 kTrampolinesMax = 512;
US_KEPT Trampolines g_trampolines[kTrampolinesMax] = {};  // of this address space; kept over fork with the memory
US_KEPT u32 g_trampoline_count = 0;

u64 parse_hex(char*& p) {
  u64 v = 0;
  for (;; ++p) {
    u32 c = (u8)*p, d = c - '0';
    if (d > 9) d = c - 'a' + 10;
    if (c < '0' || (c > '9' && c < 'a') || c > 'f') return v;
    v = v << 4 | d;
  }
}

void read_regions() {
  i64 fd = sys(kSysOpen, "/proc/self/maps", 02000000, 0);
  if (is_error(fd)) report_outcome_text(abi::kAgentFault, "/proc is needed to record a program, and cannot be read");
  u64 n = 0;
  for (;;) {
    i64 r = sys(kSysRead, fd, g_maps + n, sizeof g_maps - 1 - n);
    if (r <= 0) break;
    n += (u64)r;
  }
  sys(kSysClose, fd);
  g_maps[n] = 0;
  g_region_count = 0;
  for (char* p = g_maps; *p;) {
    if (g_region_count == kRegionsMax) break;  // a fresh image has far fewer; later only some regions are of interest
    Region& r = g_regions[g_region_count];
    r.begin = parse_hex(p);
    ++p;
    r.end = parse_hex(p);
    ++p;
    r.prot = (p[0] == 'r' ? kProtRead : 0) | (p[1] == 'w' ? kProtWrite : 0) | (p[2] == 'x' ? kProtExec : 0);
    r.shared = p[3] == 's';
    p += 5;
    r.offset = parse_hex(p);
    while (*p && *p != '\n' && *p != '/' && *p != '[') ++p;
    r.path = p;
    while (*p && *p != '\n') ++p;
    if (*p) *p++ = 0;
    r.is_file = r.path[0] == '/';
    r.is_stack = r.path[0] == '[' && r.path[1] == 's' && r.path[2] == 't';
    r.is_special = r.path[0] == '[' && r.path[1] == 'v';
    if (in_agent(r.begin)) continue;
    ++g_region_count;
  }
}

void find_kernel_clock(u64 vdso) {
  const Ehdr* e = (const Ehdr*)vdso;
  const Phdr* ph = (const Phdr*)(vdso + e->phoff);
  u64 bias = vdso, dynamic = 0;
  for (u32 i = 0; i < e->phnum; ++i) {
    if (ph[i].type == 1) bias = vdso + ph[i].offset - ph[i].vaddr;
    if (ph[i].type == 2) dynamic = vdso + ph[i].offset;
  }
  const Sym* symbols = nullptr;
  const char* names = nullptr;
  const u32* hash = nullptr;
  const u32* gnu_hash = nullptr;
  for (const u64* d = (const u64*)dynamic; dynamic && d[0]; d += 2) {
    if (d[0] == 6) symbols = (const Sym*)(bias + d[1]);
    if (d[0] == 5) names = (const char*)(bias + d[1]);
    if (d[0] == 4) hash = (const u32*)(bias + d[1]);
    if (d[0] == 0x6ffffef5) gnu_hash = (const u32*)(bias + d[1]);
  }
  if (!symbols || !names) return;
  u32 count = hash ? hash[1] : 0;
  if (!count && gnu_hash) {
    // The chains' last entry tells how many symbols there are.
    u32 buckets = gnu_hash[0], first = gnu_hash[1], words = gnu_hash[2];
    const u32* bucket = (const u32*)((const u64*)(gnu_hash + 4) + words);
    u32 last = 0;
    for (u32 i = 0; i < buckets; ++i)
      if (bucket[i] > last) last = bucket[i];
    const u32* chain = bucket + buckets;
    if (last >= first) {
      while (!(chain[last - first] & 1)) ++last;
      count = last + 1;
    }
  }
  for (u32 i = 0; i < count; ++i) {
    const char* want = "__vdso_clock_gettime";
    const char* have = names + symbols[i].name;
    while (*want && *want == *have) ++want, ++have;
    if (!*want && !*have) g_hot.kernel_clock = bias + symbols[i].value;
  }
}

// How far down the main stack may grow.
u64 stack_floor(u64 stack_end, u64 limit) {
  constexpr u64 kMost = 64 << 20;
  return stack_end - (limit > kMost ? kMost : limit & ~(kPage - 1));
}

u64* auxiliary_vector(u64 sp) {
  u64* p = (u64*)sp;
  p += 1 + p[0] + 1;
  while (*p) ++p;
  return p + 1;
}

struct Start {
  u64 entry, brk, stack_low;
};

void append_start(Thread* t, u64 sp, u64 stack_end, const Start& s, u64 ignored) {
  // Everything that makes the image: mappings, the stack's contents, registers, program break.
  static MappedFile files[kRegionsMax];
  for (u32 i = 0; i < g_region_count; ++i) {
    Region& r = g_regions[i];
    files[i].blob = -1;
    if (!r.is_file) continue;
    i64 fd = sys(kSysOpen, r.path, 02000000, 0);
    if (is_error(fd)) fd = sys(kSysOpen, "/proc/self/exe", 02000000, 0);
    if (is_error(fd) || !capture_file(t, (i32)fd, r.prot & kProtExec ? (u64)abi::kMapExec : 0, files[i]))
      report_outcome_text(abi::kAgentFault, "a file that makes the program's image cannot be read");
    sys(kSysClose, fd);
  }
  u8* p = ring_reserve(kLargeEvent);
  u8* q = put_array(p, 9);
  q = put_int(q, kEvStart);
  u32 count = 0;
  for (u32 i = 0; i < g_region_count; ++i)
    if (!g_regions[i].is_stack && !g_regions[i].is_special) ++count;
  q = put_array(q, count);
  for (u32 i = 0; i < g_region_count; ++i) {
    Region& r = g_regions[i];
    if (r.is_stack || r.is_special) continue;
    // The kernel cleared the last page of a data segment behind the file's bytes: keep that page as it is.
    bool tail = r.is_file && (r.prot & kProtWrite);
    q = put_array(q, 7);
    q = put_uint(q, r.begin);
    q = put_uint(q, r.end - r.begin);
    q = put_uint(q, r.prot);
    q = put_uint(q, r.shared ? kMapShared : kMapPrivate);
    q = put_int(q, files[i].blob);
    q = put_uint(q, r.offset);
    q = put_bin_head(q, tail ? kPage : 0);
    if (tail) {
      copy_bytes(q, (void*)(r.end - kPage), kPage);
      q += kPage;
    }
  }
  u64 stack_bytes = stack_end - sp;
  bool chunked = stack_bytes > kInlineMax;
  if (chunked) {
    q = put_uint(q, stack_bytes);
  } else {
    q = put_bin_head(q, (u32)stack_bytes);
    copy_bytes(q, (void*)sp, stack_bytes);
    q += stack_bytes;
  }
  q = put_uint(q, sp);
  q = put_uint(q, s.stack_low);
  q = put_uint(q, s.entry);
  q = put_uint(q, s.brk);
  q = put_uint(q, t->guest_mask);
  q = put_uint(q, ignored);
  ring_commit(p, q);
  for (u64 at = sp; chunked && at < stack_end;) {
    u64 n = stack_end - at < kInlineTotal ? stack_end - at : kInlineTotal;
    p = ring_reserve(kLargeEvent);
    q = put_array(p, 2);
    q = put_int(q, kEvChunk);
    q = put_bin_head(q, (u32)n);
    copy_bytes(q, (void*)at, n);
    ring_commit(p, q + n);
    at += n;
  }
  for (u32 i = 0; i < g_region_count; ++i) {
    Region& r = g_regions[i];
    if (files[i].blob >= 0 && (r.prot & kProtExec))
      patch_text(t, (u64)files[i].blob, r.offset, r.end - r.begin, r.begin);
  }
}

[[noreturn]] void enter_image(Thread* t, u64 sp, u64 entry) {
  fill_bytes(&t->regs, 0, sizeof t->regs);
  t->regs.rsp = sp;
  t->regs.rip = entry;
  t->flags16 = 0x200;
  if (!recording()) {
    Event e;
    peek_event(t, e);
    if (e.kind == kEvPreempt) prepare_async(t);
  }
  agent_return(t);
}

void apply_patches(Thread* t, u64 blob, u64 offset, u64 len, u64 addr, u64 trampoline, u64 trampoline_len) {
  if (rpc(abi::kRpcSites, blob, offset, len, addr, trampoline) != 0)
    report_outcome_text(abi::kAgentFault, "the host cannot give the syscall sites of a mapped file");
  const abi::Rpc& q = control().rpc;
  u64 count = q.r[1], bytes = q.r[0];
  US_ASSERT(bytes <= trampoline_len);
  const abi::Patch* patches = (const abi::Patch*)abi::kRpcAddr;
  copy_bytes((void*)trampoline, (const void*)(abi::kRpcAddr + count * sizeof(abi::Patch)), bytes);
  sys(kSysMprotect, trampoline, trampoline_len, kProtRead | kProtExec);
  i64 r = sys(kSysMprotect, addr, len, kProtRead | kProtWrite | kProtExec);
  US_ASSERT(r == 0);
  for (u64 i = 0; i < count; ++i) copy_bytes((void*)patches[i].addr, patches[i].bytes, patches[i].len);
  sys(kSysMprotect, addr, len, kProtRead | kProtExec);
  if (g_trampoline_count < kTrampolinesMax)
    g_trampolines[g_trampoline_count++] = {trampoline, trampoline + trampoline_len};
  (void)t;
}

}  // namespace

// A place for trampolines within reach of a 5-byte jump: below the text first, since what follows a program is its heap.
u64 map_near(u64 text, u64 len, u64 need) {
  need = round_up(need, kPage);
  auto try_at = [&](u64 at) {
    i64 r = sys(kSysMmap, at, need, kProtRead | kProtWrite, kMapPrivate | kMapAnon | kMapFixedNoreplace, -1, 0);
    if (r == (i64)at) return true;
    if (!is_error(r)) sys(kSysMunmap, r, need);
    return false;
  };
  constexpr u64 kLowest = 0x10000, kReach = 0x78000000;
  text &= ~(kPage - 1);
  for (u64 down = need; down < 0x800000 && text > down + kLowest; down += 0x10000)
    if (try_at(text - down)) return text - down;
  for (u64 down = 0x800000; down < kReach && text > down + kLowest; down += 0x1000000)
    if (try_at(text - down)) return text - down;
  for (u64 up = 0x10000000; up + len < kReach; up += 0x1000000)
    if (try_at(text + len + up)) return text + len + up;
  return 0;
}

u32 writable_ranges(Range* out, u32 max, u64 max_len) {
  read_regions();
  u32 n = 0;
  const char* program = nullptr;
  for (u32 i = 0; i < g_region_count && n < max; ++i) {
    const Region& r = g_regions[i];
    if (!program && r.is_file) program = r.path;  // the executable is mapped lowest
    if (!(r.prot & kProtWrite) || r.is_stack || r.end - r.begin > max_len) continue;
    bool own = r.shared;
    if (r.is_file && program) {
      const char *a = r.path, *b = program;
      while (*a && *a == *b) ++a, ++b;
      own = own || (!*a && !*b);
    }
    // The part of .bss behind the file's last page has no name.
    if (!own && !r.is_file && n && out[n - 1].program && out[n - 1].addr + out[n - 1].len == r.begin && !r.path[0])
      own = true;
    out[n++] = {r.begin, r.end - r.begin, own};
  }
  return n;
}

bool in_trampoline(u64 rip) {
  for (u32 i = 0; i < g_trampoline_count; ++i)
    if (rip >= g_trampolines[i].begin && rip < g_trampolines[i].end) return true;
  return false;
}

u64 trap_trampoline(u64 site) {
  // The latest first: text may have been mapped where other text was.
  for (u32 i = g_trampoline_count; i-- > 0;) {
    const abi::TrampolineHead* head = (const abi::TrampolineHead*)g_trampolines[i].begin;
    const abi::TrapSite* traps = (const abi::TrapSite*)(g_trampolines[i].begin + head->traps_offset);
    for (u64 k = 0; k < head->traps_count; ++k)
      if (traps[k].site == site) return traps[k].trampoline;
  }
  return 0;
}

bool capture_file(Thread* t, i32 fd, u64 flags, MappedFile& m) {
  if (rpc(abi::kRpcMapFile, (u64)(u32)fd, flags) != 0) return false;
  const abi::Rpc& q = control().rpc;
  m.blob = (i64)q.r[0];
  m.size = q.r[1];
  m.dev = q.r[2];
  m.ino = q.r[3];
  if (!q.r[4]) return true;
  const u8* payload = (const u8*)abi::kRpcAddr;
  u64 path_len = q.payload_len - 32;
  u8* p = ring_reserve(kLargeEvent);
  u8* w = put_array(p, 7);
  w = put_int(w, kEvFile);
  w = put_uint(w, q.r[0]);
  w = put_bin_head(w, 32);
  copy_bytes(w, payload, 32);
  w += 32;
  w = put_uint(w, q.r[1]);
  w = put_str_head(w, (u32)path_len);
  copy_bytes(w, payload + 32, path_len);
  w += path_len;
  w = put_uint(w, q.r[2]);
  w = put_uint(w, q.r[3]);
  ring_commit(p, w);
  (void)t;
  return true;
}

void patch_text(Thread* t, u64 blob, u64 offset, u64 len, u64 addr) {
  if (rpc(abi::kRpcSites, blob, offset, len, addr, 0) != 0) return;  // not an ELF file: its calls are trapped
  u64 need = round_up(control().rpc.r[0], kPage);
  if (!control().rpc.r[1]) return;
  u64 at = map_near(addr, len, need);
  if (!at) return;  // nothing free in reach: the calls are trapped instead, which is slower but complete
  u8* p = ring_reserve(kSmallEvent);
  u8* q = put_array(p, 7);
  q = put_int(q, kEvPatch);
  q = put_uint(q, blob);
  q = put_uint(q, addr);
  q = put_uint(q, len);
  q = put_uint(q, offset);
  q = put_uint(q, at);
  q = put_uint(q, need);
  ring_commit(p, q);
  apply_patches(t, blob, offset, len, addr, at, need);
}

void patch_text_again(Thread* t, Event& e) {
  u64 blob = (u64)e.integer(), addr = (u64)e.integer(), len = (u64)e.integer(), offset = (u64)e.integer();
  u64 at = (u64)e.integer(), need = (u64)e.integer();
  consume_event(e);
  i64 r = sys(kSysMmap, at, need, kProtRead | kProtWrite, kMapPrivate | kMapAnon | kMapFixed, -1, 0);
  if (r != (i64)at) report_outcome_text(abi::kAgentFault, "no memory for trampolines");
  apply_patches(t, blob, offset, len, addr, at, need);
}

// The kernel's vDSO of a replica, moved out of the guest's way with its data (which it finds by relative addresses): clocks are
// read through it once the replica is live.
namespace {
void park_kernel_vdso() {
  constexpr u64 kUser = 0x7ffffffff000, kMremap = 3 /* MAYMOVE | FIXED */;
  u64 low = ~0ull, vdso = 0;
  read_regions();
  auto movable = [](const Region& r) { return r.is_special && r.begin < kUser; };
  for (u32 i = 0; i < g_region_count; ++i) {
    const Region& r = g_regions[i];
    if (!movable(r)) continue;
    if (r.begin < low) low = r.begin;
    if (r.path[2] == 'd') vdso = r.begin;  // [vdso], beside [vvar] and the like
  }
  if (!vdso) return;
  for (u32 i = 0; i < g_region_count; ++i) {
    const Region& r = g_regions[i];
    if (!movable(r)) continue;
    u64 to = abi::kVdsoAddr + (r.begin - low), len = r.end - r.begin;
    // A sealed mapping does not move: clocks are read by system calls then.
    if (sys(kSysMremap, r.begin, len, len, kMremap, to) != (i64)to) return;
  }
  find_kernel_clock(abi::kVdsoAddr + (vdso - low));
}
}  // namespace

// ---- replay: the image -------------------------------------------------------------------------------------------------
void clear_image() {
  if (shadowing()) park_kernel_vdso();
  // Nothing of the guest's, the stub's or the kernel's is left but the agent. A sealed vDSO may refuse to go: harmless.
  sys(kSysMunmap, 0x1000, abi::kAgentBase - 0x1000);
  constexpr u64 kTop = 0x7ffffffff000;
  if (is_error(sys(kSysMunmap, abi::kAgentEnd, kTop - abi::kAgentEnd))) {
    read_regions();
    for (u32 i = 0; i < g_region_count; ++i)
      if (!in_agent(g_regions[i].begin) && !g_regions[i].is_special)
        sys(kSysMunmap, g_regions[i].begin, g_regions[i].end - g_regions[i].begin);
  }
}

void replay_image(Thread* t) {
  g_trampoline_count = 0;
  clear_image();
  Event e;
  for (;;) {
    next_event(t, e);
    if (e.kind == kEvStart) break;
    t->call.nr = kSysExecve;
    diverge(t, &e, abi::kKindStartState, "the journal has no image for this execve");
  }
  Event body = e;  // read from a copy: requests to the host in between do not touch the ring
  u32 maps;
  if (!body.reader.array(maps)) body.malformed();
  --body.left;
  for (u32 i = 0; i < maps; ++i) {
    u32 fields;
    i64 v[6];
    const u8* tail;
    u32 tail_len;
    if (!body.reader.array(fields) || fields != 7) body.malformed();
    for (auto& x : v)
      if (!body.reader.integer(x)) body.malformed();
    if (!body.reader.bin(tail, tail_len)) body.malformed();
    u64 addr = (u64)v[0], len = (u64)v[1];
    i32 fd = v[4] >= 0 ? open_blob((u64)v[4]) : -1;
    i64 r = sys(kSysMmap, addr, len, v[2] | (tail_len ? kProtWrite : 0),
                kMapPrivate | kMapFixed | (fd < 0 ? kMapAnon : 0), fd, fd < 0 ? 0 : v[5]);
    if (r != (i64)addr)
      report_outcome_text(abi::kAgentFault, "the program's image cannot be mapped where it was recorded");
    if (fd >= 0) sys(kSysClose, fd);
    if (tail_len) copy_bytes((void*)(addr + len - tail_len), tail, tail_len);
  }
  const u8* stack = nullptr;
  u32 stack_len = 0;
  u64 chunked = 0;
  Reader look = body.reader;
  if (look.bin(stack, stack_len)) body.bin(stack, stack_len);
  else chunked = (u64)body.integer();
  u64 sp = (u64)body.integer(), stack_low = (u64)body.integer(), entry = (u64)body.integer(), brk = (u64)body.integer();
  u64 mask = (u64)body.integer(), ignored = (u64)body.integer();
  u64 stack_end = sp + (chunked ? chunked : stack_len);
  i64 r = sys(kSysMmap, stack_low, stack_end - stack_low, kProtRead | kProtWrite,
              kMapPrivate | kMapAnon | kMapFixed | kMapNoreserve, -1, 0);
  if (r != (i64)stack_low)
    report_outcome_text(abi::kAgentFault, "the program's stack cannot be mapped where it was recorded");
  if (stack_len) copy_bytes((void*)sp, stack, stack_len);
  consume_event(body);
  for (u64 at = sp; chunked && at < stack_end;) {
    Event c;
    peek_event(t, c);
    const u8* from;
    u32 n;
    if (c.kind != kEvChunk) c.malformed();
    c.bin(from, n);
    copy_bytes((void*)at, from, n);
    at += n;
    consume_event(c);
  }
  t->process->brk_start = t->process->brk_now = brk;
  t->process->stack_low = stack_low;
  t->process->stack_top = stack_end;
  t->process->stack_start = sp;
  t->guest_mask = mask;
  for (int sig = 1; sig <= kSignals; ++sig)
    t->process->actions[sig] = {ignored & signal_bit(sig) ? 1ull : 0ull, 0, 0, 0};
  replay_child_signal(t);
  if (true_processes()) name_process(sp, stack_end);
  for (;;) {
    peek_event(t, e);
    if (e.kind != kEvPatch) break;
    patch_text_again(t, e);
  }
  enter_image(t, sp, entry);
}

void limit_stack(Thread* t, u64 limit) {
  Process& p = *t->process;
  if (!p.stack_top) return;
  u64 low = stack_floor(p.stack_top, limit);
  // What the stack has reached stays, and execve gives it kInitialGrowth from the beginning.
  constexpr u64 kInitialGrowth = 128 << 10;
  u64 reached = (p.stack_start & ~(kPage - 1)) - kInitialGrowth;
  u8 resident[64];
  for (u64 at = p.stack_low; at < reached;) {
    u64 n = (reached - at) / kPage < sizeof resident ? (reached - at) / kPage : sizeof resident;
    if (sys(kSysMincore, at, n * kPage, resident) != 0) return;
    u64 i = 0;
    while (i < n && !(resident[i] & 1)) ++i;
    at += i * kPage;
    if (i < n) reached = at;
  }
  if (low > reached) low = reached;
  if (low > p.stack_low) {
    sys(kSysMunmap, p.stack_low, low - p.stack_low);
    p.stack_low = low;
  }
  // Growing ends below at what the guest has mapped there.
  for (u64 more = p.stack_low - low; more >= kPage; more = (more / 2) & ~(kPage - 1)) {
    i64 at = (i64)(p.stack_low - more);
    while (p.stack_low - more >= low && sys(kSysMmap, at, more, kProtRead | kProtWrite,
                                            kMapPrivate | kMapAnon | kMapFixedNoreplace | kMapNoreserve, -1, 0) == at) {
      p.stack_low = (u64)at;
      at -= (i64)more;
    }
  }
}

// ---- the first code of the agent in a fresh image ------------------------------------------------------------------------
extern "C" [[noreturn]] void agent_start_c(u64 guest_sp, u64 first) {
  abi::Control& c = control();
  // A kick that was meant for the old image; setting a signal to be ignored also drops one that is pending.
  SigAction ignore{1, 0, 0, 0};
  sys(kSysRtSigaction, kSigSys, &ignore, 0, 8);
  US_ASSERT(c.magic == abi::kMagic && c.abi_version == abi::kAbiVersion);
  Thread* t = allocate_thread();
  sys(kSysArchPrctl, 0x1001 /* ARCH_SET_GS */, t);
  t->kernel_tid = (i32)sys(kSysGettid);
  sys(kSysSetTidAddress, &t->kernel_tid);
  t->process = &t->own_process;
  t->process->own = true;
  g_hot.tail_cache = __atomic_load_n(&c.ring.tail, __ATOMIC_ACQUIRE);
  g_hot.ring_size = c.ring.size;
  g_hot.recording = recording();
  g_hot.mono_offset = recording() ? c.pair.clock_offset_ns[1] : 0;

  // What is sent to a process of the replay waits until it goes live, or until the journal has it.
  if (true_processes()) block_all_signals();
  if (true_processes() && c.exec_gtid) {
    resume_after_exec(t);
    install_replay_handlers();
    arm_thread(t);
    replay_image(t);
  }
  if (!recording() && __atomic_exchange_n(&c.restore, 0, __ATOMIC_SEQ_CST)) {
    install_replay_handlers();
    restore_group();
  }
  if (!recording()) {
    t->process->fd_flags[1] = kFdEmit1;
    t->process->fd_flags[2] = kFdEmit2;
    c.next_gtid = 2;
    c.next_process = 1;
    c.live_threads = 1;
    c.last_gtid = 1;
    adopt_slot(t, 1, 0);
    begin_life(t);
    c.baton = 1;
    install_replay_handlers();
    arm_thread(t);
    replay_image(t);
  }

  init_fast_paths();
  kernel_query = [](u64 nr, u64 a, u64 b, u64 c4, u64 d) { return sys(nr, a, b, c4, d); };
  bool again = !first;
  if (!again) {
    c.next_gtid = 2;
    c.next_process = 1;
    c.live_threads = 1;
    c.last_gtid = 1;
    c.baton = 1;
    adopt_slot(t, 1, 0);
    begin_life(t);
    u64 mask = 0;
    sys(kSysRtSigprocmask, 0, 0, &mask, 8);
    // the launcher's; from here on the host's guard ends the group with the host
    sys(kSysPrctl, 1 /* PR_SET_PDEATHSIG */, 0);
    t->guest_mask = mask;
  } else {
    adopt_slot(t, c.exec_gtid, c.exec_process);
    begin_life(t);
    t->guest_mask = c.exec_mask;
    retire_other_threads(t);
    ring_group_begin();
    u8* p = ring_reserve(kSmallEvent);
    u8* q = put_array(p, 3);
    q = put_uint(q, c.exec_nr);
    q = put_uint(q, c.exec_sum);
    q = put_int(q, 0);
    ring_commit(p, q);
  }
  c.processes[t->process->slot].images++;
  u64 ignored = 0;
  for (int sig = 1; sig <= kSignals; ++sig) {
    if (sig == kSigSys) continue;  // see the beginning
    SigAction a;
    if (sys(kSysRtSigaction, sig, 0, &a, 8) == 0 && a.handler == 1) ignored |= signal_bit(sig);
  }

  read_regions();
  u64 stack_end = 0;
  for (u32 i = 0; i < g_region_count; ++i)
    if (g_regions[i].is_stack) stack_end = g_regions[i].end;
  if (!stack_end) {  // no name: the region that holds the stack pointer
    for (u32 i = 0; i < g_region_count; ++i)
      if (guest_sp >= g_regions[i].begin && guest_sp < g_regions[i].end)
        g_regions[i].is_stack = true, stack_end = g_regions[i].end;
  }
  US_ASSERT(stack_end > guest_sp);
  Start s{};
  u64 base = 0;
  for (u64* a = auxiliary_vector(guest_sp); a[0]; a += 2) {
    if (a[0] == kAtEntry) s.entry = a[1];
    if (a[0] == kAtBase) base = a[1];
    if (a[0] == kAtSysinfoEhdr) {
      find_kernel_clock(a[1]);
      a[1] = (u64)agent_vdso_begin;
    }
  }
  if (base) s.entry = base + ((const Ehdr*)base)->entry;
  s.brk = (u64)sys(kSysBrk, 0);
  u64 limit[2] = {8 << 20, 8 << 20};
  sys(kSysPrlimit, 0, 3 /* RLIMIT_STACK */, 0, limit);
  s.stack_low = stack_floor(stack_end, limit[0]);
  // A replay from a checkpoint goes on with these.
  t->process->brk_start = t->process->brk_now = s.brk;
  t->process->stack_low = s.stack_low;
  t->process->stack_top = stack_end;
  t->process->stack_start = guest_sp;
  append_start(t, guest_sp, stack_end, s, ignored);
  ring_group_end();

  if (!again && rpc(abi::kRpcJoin, 0) != 0)
    report_outcome_text(abi::kAgentFault, "the host does not take the first process");
  offer_tracking(t);
  install_handlers(t, ignored);
  arm_thread(t);
  set_kernel_mask(t->guest_mask);
  enter_image(t, guest_sp, s.entry);
}

}  // namespace understudy
