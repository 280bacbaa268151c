// Rewriting sites: jumps in the text, and the trampolines that they lead to. See sites.h.
//
// Invariants:
//  - A function of the map and the addresses, the same on both sides; a change of any byte that comes out needs a new kSitesVersion.
//  - A site whose displacements do not fit is left out as a whole: no byte of it remains in the trampolines.
//
// Must not: choose sites. That is the analysis's, whose results are cached.
#include <algorithm>

#include "instructions.h"
#include "sites.h"

namespace understudy::host {
namespace {

void put32(std::vector<uint8_t>& out, uint32_t v) {
  for (int i = 0; i < 4; i++) out.push_back(uint8_t(v >> (8 * i)));
}
bool fits32(int64_t v) { return v == int32_t(v); }

class Emitter {
 public:
  Emitter(uint64_t base, const abi::Entry& entry) : base_(base) {
    for (uint64_t target : {entry.syscall_entry, entry.insn_entry, uint64_t(0), uint64_t(0)}) put64(target);
  }
  void put64(uint64_t v) {
    put32(bytes, uint32_t(v));
    put32(bytes, uint32_t(v >> 32));
  }
  // abi::TrampolineHead's last members.
  void put_traps(const std::vector<abi::TrapSite>& traps) {
    align_for(0);
    const uint64_t offset = here() - base_, count = traps.size();
    memcpy(bytes.data() + 16, &offset, 8);
    memcpy(bytes.data() + 24, &count, 8);
    for (const abi::TrapSite& trap : traps) put64(trap.site), put64(trap.trampoline);
  }
  uint64_t here() const { return base_ + bytes.size(); }
  void align_for(uint64_t before) {
    while ((here() + before) % 16 != 0) bytes.push_back(0xcc);
  }
  void put(std::initializer_list<uint8_t> list) { bytes.insert(bytes.end(), list); }
  // jmp [slot], slot 0 = syscall_entry, 1 = insn_entry
  void jump_to_agent(int slot) {
    put({0xff, 0x25});
    put32(bytes, uint32_t(base_ + uint64_t(slot) * 8 - (here() + 4)));
  }
  bool jump_to(uint64_t target) {
    const int64_t displacement = int64_t(target - (here() + 5));
    bytes.push_back(0xe9);
    put32(bytes, uint32_t(displacement));
    return fits32(displacement);
  }
  // Copies the instructions of [p, p + len), which lie at `address`, stopping behind one that does not continue.
  // False when a displacement no longer fits. *terminal: the last does not continue.
  bool move(const uint8_t* p, uint64_t len, uint64_t address, bool* terminal) {
    for (uint64_t at = 0; at < len && !*terminal;) {
      ZydisDecodedInstruction insn;
      if (!decoder().decode(p + at, len - at, &insn)) return false;
      *terminal = is_terminal(insn);
      if (insn.raw.imm[0].is_relative) {
        const uint64_t target = address + at + insn.length + uint64_t(insn.raw.imm[0].value.s);
        if (insn.mnemonic == ZYDIS_MNEMONIC_JMP) {
          if (!jump_to(target)) return false;
        } else {
          // Condition code: the low nibble of the opcode in both forms.
          const int64_t displacement = int64_t(target - (here() + 6));
          put({0x0f, uint8_t(0x80 | (insn.opcode & 0x0f))});
          put32(bytes, uint32_t(displacement));
          if (!fits32(displacement)) return false;
        }
      } else {
        const size_t start = bytes.size();
        const uint64_t to = here();
        bytes.insert(bytes.end(), p + at, p + at + insn.length);
        if ((insn.attributes & ZYDIS_ATTRIB_IS_RELATIVE) != 0) {
          const int64_t displacement = insn.raw.disp.value + int64_t(address + at - to);
          if (!fits32(displacement)) return false;
          for (size_t i = 0; i < 4; i++)
            bytes[start + insn.raw.disp.offset + i] = uint8_t(uint32_t(displacement) >> (8 * i));
        }
      }
      at += insn.length;
    }
    return true;
  }
  std::vector<uint8_t> bytes;

 private:
  uint64_t base_;
};

bool in_request(const Site& site, uint64_t offset, uint64_t len) {
  if (site.reason == kTrapped) return site.offset >= offset && site.offset + site.length <= offset + len;
  const uint64_t begin = site.offset - site.before,
                 end = std::max(begin + kJumpBytes, site.offset + site.length + site.after);
  return site.reason == kPatchable && begin >= offset && end <= offset + len;
}

}  // namespace

SiteSizes bound_sizes(const SiteMap& map, uint64_t offset, uint64_t len) {
  SiteSizes sizes{sizeof(abi::TrampolineHead) + 15, 0};
  for (const Site& site : map.sites) {
    if (!in_request(site, offset, len)) continue;
    sizes.patches++;
    // Alignment, what comes before, the head, what comes behind (a short branch of 2 bytes becomes one of 6), the way back.
    sizes.trampoline_bytes += 15 + site.before + 34 + uint64_t(site.after) * 3 + 5 + sizeof(abi::TrapSite);
  }
  return sizes;
}

Rewrite generate(const SiteMap& map, uint64_t offset, uint64_t len, uint64_t address, uint64_t trampolines,
                 const abi::Entry& entry) {
  Rewrite out;
  Emitter emitter(trampolines, entry);
  std::vector<abi::TrapSite> traps;
  const uint8_t* data = map.elf.data();
  for (const Site& site : map.sites) {
    if (!in_request(site, offset, len) || !map.elf.within(site.offset, uint64_t(site.length) + site.after)) continue;
    const uint64_t begin_offset = site.offset - site.before;
    const uint64_t begin = address + (begin_offset - offset), after_offset = site.offset + site.length;
    const size_t rewind = emitter.bytes.size();
    emitter.align_for(site.before);
    const uint64_t target = emitter.here();
    bool terminal = false;
    bool ok = emitter.move(data + begin_offset, site.before, begin, &terminal) && !terminal;
    if (site.kind == abi::kSiteSyscall) {
      emitter.put({0x48, 0x8d, 0x0d, 6, 0, 0, 0});
      emitter.jump_to_agent(0);
    } else {
      emitter.put({0x65, 0x48, 0x89, 0x0c, 0x25, abi::kGsSavedRcx, 0, 0, 0});
      emitter.put({0x48, 0x8d, 0x0d, 12 + 6, 0, 0, 0});
      emitter.put({0x65, 0xc7, 0x04, 0x25, abi::kGsInsn, 0, 0, 0});
      emitter.put({site.kind, site.reg, site.operand_bits, 0});
      emitter.jump_to_agent(1);
    }
    const uint64_t continuation = emitter.here();
    ok = ok && emitter.move(data + after_offset, site.after, address + (after_offset - offset), &terminal);
    const uint64_t back = address + (after_offset + site.after - offset);
    if (ok && !terminal) ok = emitter.jump_to(back);
    const int64_t jump = int64_t(target - (begin + kJumpBytes));
    if (!ok || !fits32(jump)) {
      emitter.bytes.resize(rewind);
      continue;
    }
    abi::Patch patch{};
    patch.addr = begin;
    patch.kind = site.kind;
    if (site.reason == kTrapped) {
      patch.len = 1;
      patch.bytes[0] = 0xcc;
      traps.push_back({begin, target});
    } else {
      patch.len = kJumpBytes;
      patch.bytes[0] = 0xe9;
      for (int i = 0; i < 4; i++) patch.bytes[1 + i] = uint8_t(uint32_t(jump) >> (8 * i));
    }
    out.patches.push_back(patch);
    out.origins.push_back(
        {target, emitter.here(), continuation, address + (site.offset - offset), address + (after_offset - offset)});
  }
  emitter.put_traps(traps);
  out.trampolines = std::move(emitter.bytes);
  return out;
}

}  // namespace understudy::host
