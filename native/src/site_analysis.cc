// Finding sites: see sites.h.
//
// How it stays fast and safe: a whole-text disassembly of a large program takes a tenth of a second and more, so only functions
// that hold a candidate's bytes (and their neighbours within reach of a short branch) are decoded, from their beginning as
// .eh_frame gives it, which keeps the decoder in step. Branches from further away are found by looking at *every* byte position
// as if a branch instruction began there: that finds all real ones, and the few false ones cost a rewrite at most.
#include <string.h>

#include <algorithm>
#include <optional>
#include <unordered_set>

#include "instructions.h"
#include "sites.h"

namespace understudy::host {
namespace {

constexpr uint64_t kShortReach = 160;                      // a short branch reaches 129 bytes
constexpr uint64_t kWindowBefore = 48, kWindowAfter = 48;  // bytes around a site in which targets matter
constexpr int kBeforeMax = 4, kAfterMax = 5;               // instructions to move
constexpr uint64_t kTableBytesMax = 16384;

struct Range {
  uint64_t begin, end;  // file offsets
};

std::optional<uint8_t> kind_of(const ZydisDecodedInstruction& insn) {
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_SYSCALL: return abi::kSiteSyscall;
    case ZYDIS_MNEMONIC_RDTSC: return abi::kSiteRdtsc;
    case ZYDIS_MNEMONIC_RDTSCP: return abi::kSiteRdtscp;
    case ZYDIS_MNEMONIC_RDRAND: return abi::kSiteRdrand;
    case ZYDIS_MNEMONIC_RDSEED: return abi::kSiteRdseed;
    case ZYDIS_MNEMONIC_RDPID: return abi::kSiteRdpid;
    case ZYDIS_MNEMONIC_CPUID: return abi::kSiteCpuid;
    default: return std::nullopt;
  }
}

// Could an instruction of one of our kinds begin at p?
bool is_candidate(const uint8_t* p, uint64_t room) {
  if (room < 2 || p[0] != 0x0f) return false;
  switch (p[1]) {
    case 0x05:
    case 0x31:
    case 0xa2: return true;
    case 0x01: return room >= 3 && p[2] == 0xf9;
    case 0xc7: return room >= 3 && p[2] >= 0xf0;
    default: return false;
  }
}

bool is_padding(const ZydisDecodedInstruction& insn) {
  return insn.meta.category == ZYDIS_CATEGORY_NOP || insn.meta.category == ZYDIS_CATEGORY_WIDENOP ||
         insn.mnemonic == ZYDIS_MNEMONIC_NOP || insn.mnemonic == ZYDIS_MNEMONIC_INT3;
}

enum class Move { kNo, kPlain, kBranch };
// Whether an instruction does the same from another address, perhaps with its displacement corrected.
Move movable(const ZydisDecodedInstruction& insn) {
  if (kind_of(insn) || insn.mnemonic == ZYDIS_MNEMONIC_ENDBR64 || insn.mnemonic == ZYDIS_MNEMONIC_INT3 ||
      insn.mnemonic == ZYDIS_MNEMONIC_INT || insn.mnemonic == ZYDIS_MNEMONIC_XBEGIN)
    return Move::kNo;
  // A moved call would push an address of the trampoline, which unwinders and return-address checks do not know.
  if (insn.meta.category == ZYDIS_CATEGORY_CALL || insn.meta.category == ZYDIS_CATEGORY_SYSCALL) return Move::kNo;
  if (insn.raw.imm[0].is_relative) {
    if (insn.mnemonic == ZYDIS_MNEMONIC_JMP) return Move::kBranch;
    // jcxz and loop have a short form only.
    const bool has_near_form = insn.meta.category == ZYDIS_CATEGORY_COND_BR && insn.mnemonic != ZYDIS_MNEMONIC_JRCXZ &&
                               insn.mnemonic != ZYDIS_MNEMONIC_JECXZ && insn.mnemonic != ZYDIS_MNEMONIC_LOOP &&
                               insn.mnemonic != ZYDIS_MNEMONIC_LOOPE && insn.mnemonic != ZYDIS_MNEMONIC_LOOPNE;
    return has_near_form ? Move::kBranch : Move::kNo;
  }
  if ((insn.attributes & ZYDIS_ATTRIB_IS_RELATIVE) != 0 && insn.raw.disp.size != 32) return Move::kNo;
  return Move::kPlain;
}

class Analysis {
 public:
  explicit Analysis(SiteMap& map) : map_(map), elf_(map.elf) {}
  void run(bool full);

 private:
  struct Pending {
    Site site;
    bool certain;                // decoded from the beginning of a function: no constant that looks like an instruction
    uint8_t before[kBeforeMax];  // lengths of the instructions before it, nearest first; 0 = none that may move
  };
  void find_text();
  void find_functions();
  std::vector<Range> ranges_to_decode(bool full) const;
  void decode(const Range& range, uint64_t accept_from, bool certain, bool full);
  bool in_text(uint64_t offset) const;
  const Elf64_Phdr* text_segment(uint64_t vaddr) const;
  void note_target_vaddr(uint64_t vaddr);
  void mark_windows();
  void scan_branches();
  void scan_data();
  void choose(Pending& pending);
  bool clear_of_targets(uint64_t begin, uint64_t end) const;

  SiteMap& map_;
  const ElfView& elf_;
  std::vector<Range> text_;       // executable bytes, file offsets
  std::vector<Range> functions_;  // as .eh_frame describes them, sorted, not overlapping
  std::vector<Pending> pending_;
  std::unordered_set<uint64_t> targets_;  // file offsets that a branch or pointer enters
  std::vector<bool> window_;              // file offsets near a site
};

void Analysis::find_text() {
  for (const Elf64_Shdr& section : elf_.sections()) {
    if ((section.sh_flags & SHF_EXECINSTR) != 0 && section.sh_type == SHT_PROGBITS && section.sh_size > 0 &&
        elf_.within(section.sh_offset, section.sh_size))
      text_.push_back({section.sh_offset, section.sh_offset + section.sh_size});
  }
  if (!text_.empty()) return;
  for (const Elf64_Phdr& segment : elf_.segments()) {
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0 && elf_.within(segment.p_offset, segment.p_filesz))
      text_.push_back({segment.p_offset, segment.p_offset + segment.p_filesz});
  }
}

bool Analysis::in_text(uint64_t offset) const {
  for (const Range& range : text_) {
    if (offset >= range.begin && offset < range.end) return true;
  }
  return false;
}

const Elf64_Phdr* Analysis::text_segment(uint64_t vaddr) const {
  for (const Elf64_Phdr& segment : elf_.segments()) {
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0 && vaddr >= segment.p_vaddr &&
        vaddr - segment.p_vaddr < segment.p_filesz)
      return &segment;
  }
  return nullptr;
}

void Analysis::note_target_vaddr(uint64_t vaddr) {
  const Elf64_Phdr* segment = text_segment(vaddr);
  if (segment == nullptr) return;
  const uint64_t offset = segment->p_offset + (vaddr - segment->p_vaddr);
  if (offset < window_.size() && window_[offset]) targets_.insert(offset);
}

// .eh_frame_hdr's table: (function, FDE) pairs, both relative to the header. The function's length is in the FDE.
void Analysis::find_functions() {
  for (const Elf64_Phdr& segment : elf_.segments()) {
    if (segment.p_type != PT_GNU_EH_FRAME) continue;
    uint8_t head[4];
    uint32_t count;
    if (!elf_.read(segment.p_offset, &head)) return;
    // What every linker writes: version 1, frame pointer pc-relative, count as udata4, table as datarel|sdata4.
    if (head[0] != 1 || head[2] != 0x03 || head[3] != 0x3b || (head[1] & 0x0f) != 0x0b) return;
    if (!elf_.read(segment.p_offset + 8, &count) || !elf_.within(segment.p_offset + 12, uint64_t(count) * 8)) return;
    for (uint32_t i = 0; i < count; i++) {
      int32_t pair[2];
      elf_.read(segment.p_offset + 12 + uint64_t(i) * 8, &pair);
      const uint64_t begin = segment.p_vaddr + uint64_t(int64_t(pair[0]));
      const auto fde = elf_.offset_of(segment.p_vaddr + uint64_t(int64_t(pair[1])));
      const auto offset = elf_.offset_of(begin);
      struct {
        uint32_t length, cie;
        int32_t pc_begin;
        uint32_t pc_range;
      } entry;
      if (!fde || !offset || !elf_.read(*fde, &entry) || entry.length == 0xffffffff) continue;
      // Only the usual encoding of pc_begin, pc-relative in four bytes: then it must agree with the table.
      const uint64_t field = segment.p_vaddr + uint64_t(int64_t(pair[1])) + 8;
      if (field + uint64_t(int64_t(entry.pc_begin)) != begin || !in_text(*offset)) continue;
      if (entry.pc_range == 0 || !elf_.within(*offset, entry.pc_range)) continue;
      functions_.push_back({*offset, *offset + entry.pc_range});
    }
  }
  std::sort(functions_.begin(), functions_.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  for (size_t i = 1; i < functions_.size(); i++)
    if (functions_[i - 1].end > functions_[i].begin) functions_[i - 1].end = functions_[i].begin;
}

std::vector<Range> Analysis::ranges_to_decode(bool full) const {
  if (full) return functions_;
  std::vector<Range> near;
  for (const Range& text : text_) {
    const uint8_t* data = elf_.data();
    for (uint64_t at = text.begin; at + 1 < text.end; at++) {
      const void* next = memchr(data + at, 0x0f, text.end - 1 - at);
      if (next == nullptr) break;
      at = uint64_t(static_cast<const uint8_t*>(next) - data);
      if (!is_candidate(data + at, text.end - at)) continue;
      const uint64_t begin = at > kShortReach ? at - kShortReach : 0, end = at + kShortReach;
      if (!near.empty() && near.back().end >= begin) near.back().end = end;
      else near.push_back({begin, end});
    }
  }
  std::sort(near.begin(), near.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  std::vector<Range> out;
  size_t next = 0;
  for (const Range& function : functions_) {
    while (next < near.size() && near[next].end <= function.begin) next++;
    // A later one may still overlap this function; `near` is sorted and hardly overlaps, so looking at one is enough.
    if (next < near.size() && near[next].begin < function.end) out.push_back(function);
  }
  return out;
}

// certain: the range is code from its first byte (a function). Otherwise only what looks like code throughout is believed.
// Sites before accept_from are passed over: those bytes are decoded to be in step, and have been looked at already.
void Analysis::decode(const Range& range, uint64_t accept_from, bool certain, bool full) {
  struct Seen {
    uint64_t offset;
    uint8_t length;
    bool moves, sets_eax;
  };
  constexpr int kHistory = 8;
  Seen history[kHistory] = {};
  int depth = 0;         // valid entries of history, newest first
  uint64_t in_step = 0;  // instructions decoded since the last that could not be
  const uint8_t* data = elf_.data();
  ZydisDecodedInstruction insn;
  for (uint64_t at = range.begin; at < range.end;) {
    if (!decoder().decode(data + at, range.end - at, &insn)) {
      at++;
      depth = 0;
      in_step = 0;
      continue;
    }
    if (!certain && (insn.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED) != 0) in_step = 0;
    if (insn.raw.imm[0].is_relative) {
      const uint64_t target = at + insn.length + uint64_t(insn.raw.imm[0].value.s);
      if (target < elf_.size()) targets_.insert(target);
    }
    // Constants between functions decode as anything, so they are not counted.
    if (full && (certain || functions_.empty()) && at >= accept_from) {
      if (insn.mnemonic == ZYDIS_MNEMONIC_SYSENTER ||
          (insn.mnemonic == ZYDIS_MNEMONIC_INT && insn.raw.imm[0].value.u == 0x80))
        map_.int80++;
      if ((insn.attributes & ZYDIS_ATTRIB_HAS_SEGMENT_GS) != 0) map_.gs_use++;
    }
    if (auto kind = kind_of(insn); kind && at >= accept_from) {
      bool believed = certain;
      if (!certain) {
        bool eax_set = *kind != abi::kSiteSyscall;
        for (int i = 0; i < depth && i < 6; i++) eax_set |= history[i].sets_eax;
        ZydisDecodedInstruction after;
        const uint64_t next = at + insn.length;
        believed = in_step >= 4 && eax_set && next < range.end &&
                   decoder().decode(data + next, range.end - next, &after) &&
                   (after.attributes & ZYDIS_ATTRIB_IS_PRIVILEGED) == 0;
      }
      if (believed) {
        Pending pending{};
        pending.certain = certain;
        Site& site = pending.site;
        site.offset = at;
        site.kind = *kind;
        site.length = insn.length;
        if (*kind == abi::kSiteRdrand || *kind == abi::kSiteRdseed || *kind == abi::kSiteRdpid) {
          site.reg = uint8_t(insn.raw.modrm.rm | insn.raw.rex.B << 3);
          site.operand_bits = *kind == abi::kSiteRdpid ? 64 : insn.operand_width;
        }
        for (int i = 0; i < kBeforeMax && i < depth && history[i].moves; i++) pending.before[i] = history[i].length;
        pending_.push_back(pending);
      }
    }
    for (int i = kHistory - 1; i > 0; i--) history[i] = history[i - 1];
    const bool moves = movable(insn) == Move::kPlain && !is_terminal(insn);
    const bool mov_eax = data[at] == 0xb8 || (data[at] == 0x31 && insn.length == 2 && data[at + 1] == 0xc0) ||
                         (insn.mnemonic == ZYDIS_MNEMONIC_MOV && (insn.raw.modrm.rm == 0 || insn.raw.modrm.reg == 0));
    history[0] = {at, insn.length, moves, mov_eax};
    if (depth < kHistory) depth++;
    in_step++;
    // What stands behind an unconditional branch is reached from elsewhere, so nothing before it may be moved together with it.
    if (is_terminal(insn)) depth = 0;
    at += insn.length;
  }
}

void Analysis::mark_windows() {
  window_.assign(elf_.size() + 1, false);
  for (const Pending& pending : pending_) {
    const uint64_t begin = pending.site.offset > kWindowBefore ? pending.site.offset - kWindowBefore : 0;
    const uint64_t end = std::min(pending.site.offset + kWindowAfter, elf_.size());
    for (uint64_t at = begin; at < end; at++) window_[at] = true;
  }
}

void Analysis::scan_branches() {
  const uint8_t* data = elf_.data();
  std::vector<uint64_t> tables;  // addresses in data that text refers to
  for (const Range& text : text_) {
    // Displacements are of addresses; within a segment they are the same between file offsets.
    for (uint64_t at = text.begin; at + 6 <= text.end; at++) {
      const uint8_t op = data[at];
      const bool branch = op == 0xe8 || op == 0xe9, conditional = op == 0x0f && (data[at + 1] & 0xf0) == 0x80;
      const bool lea = op == 0x8d && (data[at + 1] & 0xc7) == 0x05;  // reg, [rip + disp32], behind its REX prefix
      if (!branch && !conditional && !lea) continue;
      const uint64_t length = branch ? 5 : 6;
      int32_t displacement;
      memcpy(&displacement, data + at + length - 4, sizeof displacement);
      const uint64_t target = at + length + uint64_t(int64_t(displacement));
      if (!lea) {
        if (target < window_.size() && window_[target]) targets_.insert(target);
        continue;
      }
      // The address of something: code (a label's address), or perhaps a table of branch distances relative to itself.
      const Elf64_Phdr* here = nullptr;
      for (const Elf64_Phdr& segment : elf_.segments()) {
        if (segment.p_type == PT_LOAD && at >= segment.p_offset && at - segment.p_offset < segment.p_filesz)
          here = &segment;
      }
      if (here == nullptr) continue;
      const uint64_t table = here->p_vaddr + (at - here->p_offset) + length + uint64_t(int64_t(displacement));
      if (text_segment(table) != nullptr) note_target_vaddr(table);
      else tables.push_back(table);
    }
  }
  // A table ends where the next thing that is referred to begins, or with the first entry that does not lead into text.
  std::sort(tables.begin(), tables.end());
  tables.erase(std::unique(tables.begin(), tables.end()), tables.end());
  for (size_t i = 0; i < tables.size(); i++) {
    const uint64_t table = tables[i], end = i + 1 < tables.size() ? tables[i + 1] : table + kTableBytesMax;
    const auto offset = elf_.offset_of(table);
    if (!offset) continue;
    for (uint64_t at = 0; table + at + 4 <= end && at < kTableBytesMax; at += 4) {
      int32_t entry;
      if (!elf_.read(*offset + at, &entry)) break;
      const uint64_t destination = table + uint64_t(int64_t(entry));
      if (text_segment(destination) == nullptr) break;
      note_target_vaddr(destination);
    }
  }
}

// Addresses of code that stand in data: in place (position-dependent files, RELR), or as addends of relocations; and symbols.
void Analysis::scan_data() {
  for (const Elf64_Phdr& segment : elf_.segments()) {
    if (segment.p_type != PT_LOAD || (segment.p_flags & PF_X) != 0) continue;
    const uint64_t begin = (segment.p_offset + 7) & ~7ull;
    for (uint64_t at = begin; at + 8 <= segment.p_offset + segment.p_filesz; at += 8) {
      uint64_t word;
      if (!elf_.read(at, &word)) break;
      if (word != 0) note_target_vaddr(word);
    }
  }
  for (const Elf64_Shdr& section : elf_.sections()) {
    if (!elf_.within(section.sh_offset, section.sh_size)) continue;
    if (section.sh_type == SHT_RELA) {
      for (uint64_t at = 0; at + sizeof(Elf64_Rela) <= section.sh_size; at += sizeof(Elf64_Rela)) {
        Elf64_Rela rela;
        elf_.read(section.sh_offset + at, &rela);
        note_target_vaddr(uint64_t(rela.r_addend));
      }
    } else if (section.sh_type == SHT_SYMTAB || section.sh_type == SHT_DYNSYM) {
      for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= section.sh_size; at += sizeof(Elf64_Sym)) {
        Elf64_Sym sym;
        elf_.read(section.sh_offset + at, &sym);
        if (sym.st_shndx != SHN_UNDEF) note_target_vaddr(sym.st_value);
      }
    }
  }
  note_target_vaddr(elf_.entry());
  for (const Range& function : functions_) {
    if (window_[function.begin]) targets_.insert(function.begin);
  }
}

// True when nothing enters (begin, end): entering at begin itself is what the jump is for.
bool Analysis::clear_of_targets(uint64_t begin, uint64_t end) const {
  for (uint64_t at = begin + 1; at < end; at++) {
    if (targets_.count(at) != 0) return false;
  }
  return true;
}

void Analysis::choose(Pending& pending) {
  Site& site = pending.site;
  const uint8_t* data = elf_.data();
  uint64_t text_end = 0;
  for (const Range& text : text_) {
    if (site.offset >= text.begin && site.offset < text.end) text_end = text.end;
  }
  // Bytes behind the site that may be taken: after[f] = f instructions (padding behind a terminal one included).
  uint64_t after[kAfterMax + 1] = {0};
  int after_count = 0;
  bool terminal = false;
  for (uint64_t at = site.offset + site.length; after_count < kAfterMax && after[after_count] < kJumpBytes;) {
    ZydisDecodedInstruction insn;
    if (at >= text_end || !decoder().decode(data + at, text_end - at, &insn)) break;
    if (terminal ? !is_padding(insn) : movable(insn) == Move::kNo) break;
    terminal |= is_terminal(insn);
    at += insn.length;
    after_count++;
    after[after_count] = at - (site.offset + site.length);
  }
  bool long_enough = false;
  uint64_t before = 0;
  for (int b = 0; b <= kBeforeMax; b++) {
    if (b > 0) {
      if (pending.before[b - 1] == 0) break;
      before += pending.before[b - 1];
    }
    for (int f = 0; f <= after_count; f++) {
      if (before + site.length + after[f] < kJumpBytes) continue;
      long_enough = true;
      const uint64_t begin = site.offset - before;
      // Only the bytes that the jump covers are changed, but whoever enters behind a moved instruction would miss it.
      if (!clear_of_targets(begin, site.offset + site.length + after[f])) break;
      site.before = uint8_t(before);
      site.after = uint8_t(after[f]);
      site.reason = kPatchable;
      return;
    }
  }
  site.reason = long_enough ? kBranchTarget : kTooShort;
}

void Analysis::run(bool full) {
  find_text();
  find_functions();
  for (const Range& range : ranges_to_decode(full)) decode(range, range.begin, true, full);
  // Hand-written assembly and files without unwind information: what no function covers.
  for (const Range& text : text_) {
    uint64_t at = text.begin;
    // Where unwind information stops for a moment inside a function (around clone's system call, for one), the function before
    // gives the step.
    uint64_t in_step_from = at;
    auto gap = [&](uint64_t begin, uint64_t end) {
      if (end <= begin) return;
      bool any = full;
      for (uint64_t p = begin; !any && p + 1 < end; p++) any = is_candidate(elf_.data() + p, end - p);
      if (any) decode({in_step_from, end}, begin, false, full);
    };
    for (const Range& function : functions_) {
      if (function.end <= text.begin || function.begin >= text.end) continue;
      gap(at, function.begin);
      at = std::max(at, function.end);
      in_step_from = function.begin;
    }
    gap(at, text.end);
  }
  std::sort(pending_.begin(), pending_.end(),
            [](const Pending& a, const Pending& b) { return a.site.offset < b.site.offset; });
  // Most libraries have no site at all, and need no look at what enters it.
  if (!pending_.empty()) {
    mark_windows();
    scan_branches();
    scan_data();
  }
  uint64_t taken = 0;  // end of the bytes that the sites before cover
  for (Pending& pending : pending_) {
    choose(pending);
    Site& site = pending.site;
    if (site.reason == kPatchable) {
      if (site.offset - site.before < taken) site.reason = kTooShort, site.before = site.after = 0;
      else taken = site.offset + site.length + site.after;
    }
    if (site.reason != kPatchable && site.kind != abi::kSiteSyscall && pending.certain) site.reason = kTrapped;
    map_.sites.push_back(site);
  }
}

}  // namespace

const char* site_reason_text(SiteReason reason) {
  switch (reason) {
    case kPatchable: return "";
    case kTooShort: return "no five bytes of instructions that can be moved";
    case kBranchTarget: return "a branch enters the bytes that a jump would cover";
    case kTrapped: return "a trap stands for it";
  }
  return "";
}

std::shared_ptr<const SiteMap> analyse(const std::string& path, bool full, std::string* error) {
  auto map = std::make_shared<SiteMap>();
  *error = map->elf.open(path);
  if (!error->empty()) return nullptr;
  // Mapped as executable but not of this machine: nothing to rewrite.
  if (map->elf.is_64() && map->elf.machine() == EM_X86_64) Analysis(*map).run(full);
  return map;
}

}  // namespace understudy::host
