// Stops a replayed thread at a recorded position of a hot loop without a trap at each visit: a 5-byte jump at the position leads
// to a stub that compares a few registers and memory words, and runs into its int3 only where all are equal.
//
// Invariants:
//  - A stub changes no register, no flag and no byte of the stack, the red zone included; only gs:[kGsProbe0/1].
//  - Text is replaced only where whole instructions can move and nothing that can be seen enters behind the first of them.
//  - Results depend on the text and the arguments only.
//
// Must not: write into a process. The agent writes the stub and the patch, and takes the patch back.
#pragma once
#include <sys/types.h>

#include <span>
#include <vector>

#include "understudy/abi.h"

namespace understudy::host {

inline constexpr uint64_t kProbeStubMax = 2048;  // what the agent sets aside for a stub
inline constexpr uint64_t kProbePatchMax = 16;
inline constexpr uint64_t kNoSite = ~0ull;

// rips: the program counters that a thread of `pid` went through, in order, one instruction after the other. The index of
// the one where a jump fits and costs least, or kNoSite.
uint64_t pick_site(pid_t pid, std::span<const uint64_t> rips);

struct ProbeStub {
  std::vector<uint8_t> bytes;
  uint64_t trap;  // offset of the int3
  uint64_t body;  // offset at which the guest's own instructions go on, with all its registers in place
  uint8_t patch[kProbePatchMax];
  uint64_t covered;  // bytes of patch
};
// For the text at `address`, with the stub to lie at `at`. 0, -ENOTSUP when no jump fits there, -EINVAL for a bad spec.
int64_t probe_stub(pid_t pid, uint64_t address, uint64_t at, const abi::ProbeSpec& spec, ProbeStub* out);

}  // namespace understudy::host
