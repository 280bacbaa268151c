// What a host tells of itself when it pairs: what a replica needs in order to run a guest that started elsewhere.
//
// Invariants:
//  - Only instructions that user programs can execute are compared; bits that concern kernels alone are masked out.
//
// Must not: decide; what differs is returned as text, and the handshake refuses.
#pragma once
#include <stdint.h>

#include <string>

namespace understudy::host {

inline constexpr int kCpuWords = 10;

struct MirrorIdentity {
  uint16_t version_min = 1, version_max = 1;  // of the mirror's protocol
  uint16_t machine = 0;                       // e_machine of ELF
  uint32_t page_size = 0;
  uint32_t cpu[kCpuWords] = {};  // CPUID words, see identity.cc
  uint64_t xcr0 = 0;             // register state that the kernel has enabled
  char cpu_model[48] = {};
};

MirrorIdentity local_identity();

// Why a guest of `primary` cannot go on at `backup`; empty when it can.
std::string incompatibility(const MirrorIdentity& primary, const MirrorIdentity& backup);

}  // namespace understudy::host
