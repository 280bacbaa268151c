// See probe.h.
//
// Whether something enters the bytes behind a position's first instruction cannot be known for certain from running text. What
// is looked at: how the thread itself came to each program counter; everything that direct branches and jump tables reach from
// there; the neighbourhood decoded in step; and every byte within reach as if a branch began there, which finds all real ones.
#include "probe.h"

#include <Zydis/Zydis.h>
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

namespace understudy::host {
namespace {

constexpr uint64_t kJump = 5, kPage = 4096;
constexpr uint64_t kInsnMax = 15;
constexpr uint64_t kNearReach = 32 << 10;  // how far away a branch with a 32-bit displacement is looked for
constexpr uint64_t kShortReach = 132;      // a short branch reaches 129 bytes
constexpr uint64_t kStepIn = 320;          // bytes decoded before a position, to be in step when short branches matter
constexpr uint64_t kStepInStarts = 16;
constexpr size_t kDescentMax = 2048;  // instructions
constexpr uint64_t kTableBytesMax = 4096;
constexpr int64_t kTableReach = 1 << 20;

// A process's memory, by pages that are read once.
class Text {
 public:
  explicit Text(pid_t pid) : pid_(pid) {}
  // Bytes read: fewer than asked for where a page cannot be read.
  uint64_t read(uint64_t address, void* out, uint64_t len) {
    uint64_t done = 0;
    while (done < len) {
      const uint64_t at = address + done, in_page = at % kPage;
      const Page* page = get(at - in_page);
      if (page == nullptr) break;
      const uint64_t n = std::min(len - done, kPage - in_page);
      memcpy(static_cast<uint8_t*>(out) + done, page->data() + in_page, n);
      done += n;
    }
    return done;
  }

 private:
  using Page = std::array<uint8_t, kPage>;
  const Page* get(uint64_t address) {
    auto [entry, fresh] = pages_.try_emplace(address);
    if (fresh) {
      auto page = std::make_unique<Page>();
      iovec local{page->data(), kPage}, remote{reinterpret_cast<void*>(address), kPage};
      if (process_vm_readv(pid_, &local, 1, &remote, 1, 0) == ssize_t(kPage)) entry->second = std::move(page);
    }
    return entry->second.get();
  }
  pid_t pid_;
  std::unordered_map<uint64_t, std::unique_ptr<Page>> pages_;
};

struct Insn {
  ZydisDecodedInstruction info;
  uint8_t bytes[kInsnMax];
  uint64_t address;
  uint64_t next() const { return address + info.length; }
  bool is_branch() const { return info.raw.imm[0].is_relative; }
  uint64_t target() const { return next() + uint64_t(info.raw.imm[0].value.s); }
  bool is_rip_relative() const { return !is_branch() && (info.attributes & ZYDIS_ATTRIB_IS_RELATIVE) != 0; }
  bool is_terminal() const {
    return info.meta.category == ZYDIS_CATEGORY_RET || info.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
           info.mnemonic == ZYDIS_MNEMONIC_UD2 || info.mnemonic == ZYDIS_MNEMONIC_HLT;
  }
  bool is_padding() const {
    return info.meta.category == ZYDIS_CATEGORY_NOP || info.meta.category == ZYDIS_CATEGORY_WIDENOP ||
           info.mnemonic == ZYDIS_MNEMONIC_NOP || info.mnemonic == ZYDIS_MNEMONIC_INT3;
  }
};

bool decode_bytes(const uint8_t* p, uint64_t room, ZydisDecodedInstruction* out) {
  static const ZydisDecoder decoder = [] {
    ZydisDecoder d;
    ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    return d;
  }();
  return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, nullptr, p, room, out));
}

bool decode(Text& text, uint64_t address, Insn* out) {
  out->address = address;
  const uint64_t room = text.read(address, out->bytes, kInsnMax);
  return room > 0 && decode_bytes(out->bytes, room, &out->info);
}

// Whether an instruction does the same from another address, perhaps with its displacement corrected.
bool movable(const Insn& insn) {
  const ZydisDecodedInstruction& info = insn.info;
  switch (info.mnemonic) {
    // What the agent answers, it answers at the address in the text.
    case ZYDIS_MNEMONIC_RDTSC:
    case ZYDIS_MNEMONIC_RDTSCP:
    case ZYDIS_MNEMONIC_RDRAND:
    case ZYDIS_MNEMONIC_RDSEED:
    case ZYDIS_MNEMONIC_RDPID:
    case ZYDIS_MNEMONIC_CPUID:
    // These trap, and the guest's handler would see an address of the stub.
    case ZYDIS_MNEMONIC_INT3:
    case ZYDIS_MNEMONIC_INT1:
    case ZYDIS_MNEMONIC_INT:
    case ZYDIS_MNEMONIC_UD0:
    case ZYDIS_MNEMONIC_UD1:
    case ZYDIS_MNEMONIC_UD2:
    case ZYDIS_MNEMONIC_HLT:
    case ZYDIS_MNEMONIC_XBEGIN:
    // Short form only.
    case ZYDIS_MNEMONIC_JCXZ:
    case ZYDIS_MNEMONIC_JECXZ:
    case ZYDIS_MNEMONIC_JRCXZ:
    case ZYDIS_MNEMONIC_LOOP:
    case ZYDIS_MNEMONIC_LOOPE:
    case ZYDIS_MNEMONIC_LOOPNE: return false;
    default: break;
  }
  // A moved call would push an address of the stub.
  if (info.meta.category == ZYDIS_CATEGORY_CALL || info.meta.category == ZYDIS_CATEGORY_SYSCALL ||
      info.meta.category == ZYDIS_CATEGORY_SYSRET)
    return false;
  if (insn.is_branch()) {
    // With an operand-size prefix processors disagree about what the branch is.
    if ((info.attributes & ZYDIS_ATTRIB_HAS_OPERANDSIZE) != 0) return false;
    return info.mnemonic == ZYDIS_MNEMONIC_JMP || info.meta.category == ZYDIS_CATEGORY_COND_BR;
  }
  // Relative to eip: cannot reach from elsewhere.
  return !insn.is_rip_relative() || (info.raw.disp.size == 32 && info.address_width == 64);
}

constexpr ZydisInstructionAttributes kRepeated = ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE;

// The instructions that a jump at an address replaces.
struct Covered {
  std::vector<Insn> insns;  // without padding behind one that does not continue
  uint64_t len = 0;
  bool terminal = false;
};
std::optional<Covered> cover(Text& text, uint64_t address) {
  if (address >= abi::kAgentBase && address < abi::kAgentEnd) return std::nullopt;
  Covered out;
  Insn insn;
  while (out.len < kJump) {
    if (!decode(text, address + out.len, &insn)) return std::nullopt;
    if (out.terminal ? !insn.is_padding() : !movable(insn)) return std::nullopt;
    // A repeated instruction is visited once per repetition by a single step, but once in all by a jump to it.
    if (out.len == 0 && (insn.info.attributes & kRepeated) != 0) return std::nullopt;
    if (!out.terminal) out.insns.push_back(insn);
    out.terminal = out.terminal || insn.is_terminal();
    out.len += insn.info.length;
  }
  if (out.len > kProbePatchMax) return std::nullopt;
  return out;
}

using Targets = std::unordered_set<uint64_t>;

bool enters(const Targets& targets, uint64_t address, uint64_t len) {
  for (uint64_t at = address + 1; at < address + len; at++)
    if (targets.count(at) != 0) return true;
  return false;
}

// What can be said about entries into text around some program counters.
class Entries {
 public:
  Entries(Text& text, std::span<const uint64_t> rips) : text_(text) {
    walk(rips);
    descend(rips);
    scan_near(rips);
  }
  // 0: nothing enters it. 1: nothing but what may be a short branch, or a piece of another instruction. Nothing: entered.
  std::optional<int> doubt(uint64_t address, uint64_t len);
  // Whether a branch leads back to it from behind.
  bool is_loop_head(uint64_t address) const { return heads_.count(address) != 0; }

 private:
  void walk(std::span<const uint64_t> rips);
  void descend(std::span<const uint64_t> rips);
  void read_table(uint64_t table, bool absolute);
  void scan_near(std::span<const uint64_t> rips);

  Text& text_;
  Targets targets_, heads_;
};

// The thread's own way: what did not follow the instruction before it was jumped to.
void Entries::walk(std::span<const uint64_t> rips) {
  for (size_t i = 1; i < rips.size(); i++) {
    Insn insn;
    if (decode(text_, rips[i - 1], &insn) && insn.next() == rips[i]) continue;
    targets_.insert(rips[i]);
    if (rips[i] <= rips[i - 1]) heads_.insert(rips[i]);
  }
}

void Entries::descend(std::span<const uint64_t> rips) {
  std::vector<uint64_t> work(rips.rbegin(), rips.rend());
  Targets seen;
  Insn insn;
  while (!work.empty() && seen.size() < kDescentMax) {
    uint64_t at = work.back();
    work.pop_back();
    while (seen.size() < kDescentMax && seen.insert(at).second && decode(text_, at, &insn)) {
      if (insn.is_branch()) {
        targets_.insert(insn.target());
        if (insn.target() <= at) heads_.insert(insn.target());
        // What is called returns behind the call, and begins with what nothing before it runs into.
        if (insn.info.meta.category != ZYDIS_CATEGORY_CALL) work.push_back(insn.target());
      }
      const auto& raw = insn.info.raw;
      if (insn.info.mnemonic == ZYDIS_MNEMONIC_LEA && insn.is_rip_relative())
        read_table(insn.next() + uint64_t(raw.disp.value), false);
      if (insn.info.mnemonic == ZYDIS_MNEMONIC_JMP && raw.modrm.mod == 0 && raw.modrm.rm == 4 && raw.sib.base == 5 &&
          raw.disp.size == 32 && !insn.is_branch())
        read_table(uint64_t(raw.disp.value), true);
      if (insn.is_terminal()) break;
      at = insn.next();
    }
  }
}

// An address in the text may be a label's, or a table's of distances from itself; `jmp [table + 8 * i]` has one of addresses.
// Data that is no table gives addresses that hardly ever lie where they matter.
void Entries::read_table(uint64_t table, bool absolute) {
  targets_.insert(table);
  uint8_t bytes[kTableBytesMax];
  const uint64_t len = text_.read(table, bytes, sizeof bytes);
  const uint64_t step = absolute ? 8 : 4;
  for (uint64_t at = 0; at + step <= len; at += step) {
    int64_t distance;
    if (absolute) {
      memcpy(&distance, bytes + at, sizeof distance);
      distance -= int64_t(table);
    } else {
      int32_t entry;
      memcpy(&entry, bytes + at, sizeof entry);
      distance = entry;
    }
    if (absolute ? distance == -int64_t(table) : std::abs(distance) > kTableReach) break;
    targets_.insert(table + uint64_t(distance));
  }
}

// Every byte as the begin of a branch with a 32-bit displacement. A false one hardly ever leads where it matters.
void Entries::scan_near(std::span<const uint64_t> rips) {
  std::vector<uint64_t> sorted(rips.begin(), rips.end());
  std::sort(sorted.begin(), sorted.end());
  std::vector<uint8_t> bytes;
  for (size_t i = 0; i < sorted.size();) {
    // Positions close to each other share one stretch; it grows from the middle, for there may be nothing on one side.
    const uint64_t low = sorted[i];
    uint64_t high = low;
    for (; i < sorted.size() && sorted[i] - high <= kNearReach; i++) high = sorted[i];
    uint64_t begin = low & ~(kPage - 1), end = begin;
    uint8_t byte;
    while (low - begin < kNearReach && begin >= kPage && text_.read(begin - kPage, &byte, 1) == 1) begin -= kPage;
    while (end < high + kNearReach && text_.read(end, &byte, 1) == 1) end += kPage;
    bytes.resize(end - begin);
    bytes.resize(text_.read(begin, bytes.data(), bytes.size()));
    for (uint64_t at = 0; at + 6 <= bytes.size(); at++) {
      const uint8_t op = bytes[at];
      const bool plain = op == 0xe8 || op == 0xe9, conditional = op == 0x0f && (bytes[at + 1] & 0xf0) == 0x80;
      if (!plain && !conditional) continue;
      const uint64_t length = plain ? 5 : 6;
      int32_t displacement;
      memcpy(&displacement, bytes.data() + at + length - 4, sizeof displacement);
      const uint64_t target = begin + at + length + uint64_t(int64_t(displacement));
      if (target - low <= high - low + kInsnMax + kJump) targets_.insert(target);
    }
  }
}

std::optional<int> Entries::doubt(uint64_t address, uint64_t len) {
  if (enters(targets_, address, len)) return std::nullopt;
  // Decoded from several places before it: those in step when they come to the address are believed.
  Targets stepped;
  bool in_step = false;
  Insn insn;
  for (uint64_t start = address - kStepIn; start < address - kStepIn + kStepInStarts; start++) {
    Targets found;
    uint64_t at = start;
    while (at < address) {
      if (!decode(text_, at, &insn)) {
        at++;
        continue;
      }
      if (insn.is_branch()) found.insert(insn.target());
      at = insn.next();
    }
    if (at != address) continue;
    in_step = true;
    stepped.merge(found);
  }
  for (uint64_t at = address; at < address + kStepIn && decode(text_, at, &insn); at = insn.next())
    if (insn.is_branch()) stepped.insert(insn.target());
  if (enters(stepped, address, len)) return std::nullopt;
  // Every byte as the begin of a short branch; here a false one is likely.
  for (uint64_t at = address - kShortReach; at < address + len + kShortReach; at++) {
    uint8_t bytes[2];
    if (text_.read(at, bytes, 2) != 2) continue;
    if ((bytes[0] & 0xf0) != 0x70 && bytes[0] != 0xeb && (bytes[0] & 0xfc) != 0xe0) continue;
    const uint64_t target = at + 2 + uint64_t(int64_t(int8_t(bytes[1])));
    if (target <= address || target >= address + len) continue;
    if (!in_step) return std::nullopt;
    return 1;
  }
  return 0;
}

// ---- Generation ------------------------------------------------------------------------------------------------------

enum Register : uint32_t { kRax = 0, kRcx = 1 };

class Emitter {
 public:
  explicit Emitter(uint64_t base) : base_(base) {}
  uint64_t here() const { return base_ + bytes.size(); }
  void put(std::initializer_list<uint8_t> list) { bytes.insert(bytes.end(), list); }
  template <class T>
  void put_value(T value) {
    const auto* p = reinterpret_cast<const uint8_t*>(&value);
    bytes.insert(bytes.end(), p, p + sizeof value);
  }
  // mov gs:[offset], reg and back; reg is rax or rcx
  void save(Register reg, uint32_t offset) {
    put({0x65, 0x48, 0x89, uint8_t(0x04 | reg << 3), 0x25});
    put_value(offset);
  }
  void load(Register reg, uint32_t offset) {
    put({0x65, 0x48, 0x8b, uint8_t(0x04 | reg << 3), 0x25});
    put_value(offset);
  }
  void restore() {
    load(kRcx, abi::kGsProbe0);
    load(kRax, abi::kGsProbe1);
  }
  // Where a 32-bit displacement of a jump is to be filled in by land().
  size_t jump() {
    bytes.push_back(0xe9);
    put_value(uint32_t(0));
    return bytes.size();
  }
  void land(size_t jump) {
    const uint32_t displacement = uint32_t(bytes.size() - jump);
    memcpy(bytes.data() + jump - 4, &displacement, sizeof displacement);
  }
  bool relative(uint64_t target) {
    const int64_t displacement = int64_t(target - (here() + 4));
    put_value(uint32_t(displacement));
    return displacement == int32_t(displacement);
  }
  bool jump_to(uint64_t target) {
    bytes.push_back(0xe9);
    return relative(target);
  }
  // False when a displacement no longer fits.
  bool move(const Insn& insn) {
    if (insn.is_branch()) {
      if (insn.info.mnemonic == ZYDIS_MNEMONIC_JMP) return jump_to(insn.target());
      // Condition code: the low nibble of the opcode in both forms.
      put({0x0f, uint8_t(0x80 | (insn.info.opcode & 0x0f))});
      return relative(insn.target());
    }
    const size_t start = bytes.size();
    const uint64_t to = here();
    bytes.insert(bytes.end(), insn.bytes, insn.bytes + insn.info.length);
    if (!insn.is_rip_relative()) return true;
    const int64_t displacement = insn.info.raw.disp.value + int64_t(insn.address - to);
    const uint32_t field = uint32_t(displacement);
    memcpy(bytes.data() + start + insn.info.raw.disp.offset, &field, sizeof field);
    return displacement == int32_t(displacement);
  }
  std::vector<uint8_t> bytes;

 private:
  uint64_t base_;
};

}  // namespace

uint64_t pick_site(pid_t pid, std::span<const uint64_t> rips) {
  Text text(pid);
  std::map<uint64_t, std::pair<uint64_t, uint64_t>> visits;  // address -> first index, how often
  for (uint64_t i = 0; i < rips.size(); i++) visits.try_emplace(rips[i], i, 0).first->second.second++;

  std::optional<Entries> entries;
  // Least first: a position that is visited once; one instruction alone; a loop's head; the earliest.
  struct Candidate {
    uint64_t visits;
    bool several, no_head;
    uint64_t index, len;
  };
  std::vector<Candidate> candidates;
  for (const auto& [address, seen] : visits) {
    const auto covered = cover(text, address);
    if (!covered) continue;
    if (!entries) entries.emplace(text, rips);
    candidates.push_back(
        {seen.second, covered->insns.size() > 1, !entries->is_loop_head(address), seen.first, covered->len});
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return std::tie(a.visits, a.several, a.no_head, a.index) < std::tie(b.visits, b.several, b.no_head, b.index);
  });
  uint64_t second_best = kNoSite;
  for (const Candidate& candidate : candidates) {
    const auto doubt = entries->doubt(rips[candidate.index], candidate.len);
    if (doubt == 0) return candidate.index;
    if (doubt && second_best == kNoSite) second_best = candidate.index;
  }
  return second_best;
}

int64_t probe_stub(pid_t pid, uint64_t address, uint64_t at, const abi::ProbeSpec& spec, ProbeStub* out) {
  if (spec.count > std::size(spec.items)) return -EINVAL;
  Text text(pid);
  const auto covered = cover(text, address);
  if (!covered) return -ENOTSUP;
  // The position may have been recorded without a choice of pick_site's.
  const uint64_t rips[] = {address};
  if (!Entries(text, rips).doubt(address, covered->len)) return -ENOTSUP;

  // No flag may change, so equality is: value - expected is zero, by lea and jrcxz.
  Emitter emitter(at);
  emitter.save(kRcx, abi::kGsProbe0);
  emitter.save(kRax, abi::kGsProbe1);
  std::vector<size_t> misses;
  for (uint32_t i = 0; i < spec.count; i++) {
    const auto& item = spec.items[i];
    if (item.is_memory != 0) {
      emitter.put({0x48, 0xb9});  // movabs rcx, address
      emitter.put_value(item.addr);
      emitter.put({0x48, 0x8b, 0x09});  // mov rcx, [rcx]
    } else if (item.reg > 15) {
      return -EINVAL;
    } else if (item.reg == kRcx || item.reg == kRax) {
      emitter.load(kRcx, item.reg == kRcx ? abi::kGsProbe0 : abi::kGsProbe1);
    } else {
      // mov rcx, reg
      emitter.put({uint8_t(item.reg >= 8 ? 0x4c : 0x48), 0x89, uint8_t(0xc1 | (item.reg & 7) << 3)});
    }
    emitter.put({0x48, 0xb8});  // movabs rax, -expected
    emitter.put_value(uint64_t(0) - item.expected);
    emitter.put({0x48, 0x8d, 0x0c, 0x01});  // lea rcx, [rcx + rax]
    emitter.put({0xe3, kJump});             // jrcxz over the jump
    misses.push_back(emitter.jump());
  }
  const size_t hit = emitter.jump();
  for (size_t miss : misses) emitter.land(miss);
  emitter.restore();
  out->body = emitter.bytes.size();
  bool ok = true;
  for (const Insn& insn : covered->insns) ok = emitter.move(insn) && ok;
  if (!covered->terminal) ok = emitter.jump_to(address + covered->len) && ok;
  emitter.land(hit);
  emitter.restore();
  out->trap = emitter.bytes.size();
  emitter.put({0xcc});
  ok = emitter.jump_to(at + out->body) && ok;
  const int64_t jump = int64_t(at - (address + kJump));
  if (!ok || jump != int32_t(jump)) return -ENOTSUP;

  memset(out->patch, 0x90, sizeof out->patch);
  out->patch[0] = 0xe9;
  const uint32_t field = uint32_t(jump);
  memcpy(out->patch + 1, &field, sizeof field);
  out->covered = covered->len;
  out->bytes = std::move(emitter.bytes);
  return 0;
}

}  // namespace understudy::host
