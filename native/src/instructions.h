// What the analysis of a file's text (site_analysis.cc) and the rewriting of it (site_rewrite.cc) both know of instructions.
//
// Must not: look at anything but one instruction.
#pragma once
#include <Zydis/Zydis.h>
#include <stdint.h>

namespace understudy::host {

inline constexpr uint64_t kJumpBytes = 5;  // what a site becomes: jmp rel32

class Decoder {
 public:
  Decoder() { ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64); }
  bool decode(const uint8_t* p, uint64_t room, ZydisDecodedInstruction* out) const {
    return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder_, nullptr, p, room, out));
  }

 private:
  ZydisDecoder decoder_;
};

inline const Decoder& decoder() {
  static const Decoder instance;
  return instance;
}

// Whatever stands behind it is reached from elsewhere.
inline bool is_terminal(const ZydisDecodedInstruction& insn) {
  return insn.meta.category == ZYDIS_CATEGORY_RET || insn.meta.category == ZYDIS_CATEGORY_UNCOND_BR ||
         insn.mnemonic == ZYDIS_MNEMONIC_UD2 || insn.mnemonic == ZYDIS_MNEMONIC_HLT;
}

}  // namespace understudy::host
