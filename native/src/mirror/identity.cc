// See identity.h.
#include "identity.h"

#include <cpuid.h>
#include <elf.h>
#include <string.h>
#include <unistd.h>

namespace understudy::host {
namespace {
// A word of CPUID's answer: leaf, subleaf, register, and the bits of it that matter to user programs. All others are left
// out on purpose: what only kernels and hypervisors use (VMX, MONITOR, mitigations …) may differ.
struct CpuWord {
  uint32_t leaf, subleaf;
  int reg;  // 0 = eax .. 3 = edx
  struct {
    int bit;
    const char* name;
  } features[20];
};
// clang-format off
constexpr CpuWord kWords[kCpuWords] = {
    {1, 0, 2, {{0, "sse3"}, {1, "pclmulqdq"}, {9, "ssse3"}, {12, "fma"}, {13, "cmpxchg16b"}, {19, "sse4.1"}, {20, "sse4.2"},
      {22, "movbe"}, {23, "popcnt"}, {25, "aes"}, {26, "xsave"}, {28, "avx"}, {29, "f16c"}, {30, "rdrand"}}},
    {1, 0, 3, {{4, "tsc"}, {8, "cx8"}, {15, "cmov"}, {19, "clflush"}, {23, "mmx"}, {24, "fxsr"}, {25, "sse"}, {26, "sse2"}}},
    {7, 0, 1, {{0, "fsgsbase"}, {3, "bmi1"}, {4, "hle"}, {5, "avx2"}, {8, "bmi2"}, {9, "erms"}, {11, "rtm"}, {16, "avx512f"},
      {17, "avx512dq"}, {18, "rdseed"}, {19, "adx"}, {21, "avx512ifma"}, {23, "clflushopt"}, {24, "clwb"}, {26, "avx512pf"},
      {27, "avx512er"}, {28, "avx512cd"}, {29, "sha"}, {30, "avx512bw"}, {31, "avx512vl"}}},
    {7, 0, 2, {{1, "avx512vbmi"}, {5, "waitpkg"}, {6, "avx512vbmi2"}, {8, "gfni"}, {9, "vaes"}, {10, "vpclmulqdq"},
      {11, "avx512vnni"}, {12, "avx512bitalg"}, {14, "avx512vpopcntdq"}, {22, "rdpid"}, {25, "cldemote"}, {27, "movdiri"},
      {28, "movdir64b"}}},
    {7, 0, 3, {{2, "avx512-4vnniw"}, {3, "avx512-4fmaps"}, {4, "fsrm"}, {5, "uintr"}, {8, "avx512-vp2intersect"},
      {14, "serialize"}, {16, "tsxldtrk"}, {22, "amx-bf16"}, {23, "avx512fp16"}, {24, "amx-tile"}, {25, "amx-int8"}}},
    {7, 1, 0, {{0, "sha512"}, {1, "sm3"}, {2, "sm4"}, {4, "avx-vnni"}, {5, "avx512-bf16"}, {7, "cmpccxadd"}, {10, "fzrm"},
      {11, "fsrs"}, {12, "fsrcs"}, {21, "amx-fp16"}, {23, "avx-ifma"}}},
    {0xd, 1, 0, {{0, "xsaveopt"}, {1, "xsavec"}, {2, "xgetbv1"}}},
    {0x80000001, 0, 2, {{0, "lahf"}, {5, "lzcnt"}, {6, "sse4a"}, {8, "3dnow-prefetch"}, {11, "xop"}, {16, "fma4"}, {21, "tbm"},
      {29, "mwaitx"}}},
    {0x80000001, 0, 3, {{22, "mmxext"}, {27, "rdtscp"}, {30, "3dnowext"}, {31, "3dnow"}}},
    {0x80000008, 0, 1, {{0, "clzero"}, {4, "rdpru"}}},
};
// clang-format on

uint32_t cpuid_word(const CpuWord& word) {
  uint32_t r[4] = {}, mask = 0;
  if (__get_cpuid_count(word.leaf, word.subleaf, &r[0], &r[1], &r[2], &r[3]) == 0) return 0;
  for (const auto& feature : word.features)
    if (feature.name != nullptr) mask |= 1u << feature.bit;
  return r[word.reg] & mask;
}

uint64_t read_xcr0() {
  uint32_t a, b, c, d;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0) return 0;
  uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return uint64_t(high) << 32 | low;
}

std::string machine_name(uint16_t machine) {
  return machine == EM_X86_64 ? "x86-64" : machine == EM_AARCH64 ? "aarch64" : "machine " + std::to_string(machine);
}
}  // namespace

MirrorIdentity local_identity() {
  static const MirrorIdentity identity = [] {
    MirrorIdentity id;
    id.machine = EM_X86_64;
    id.page_size = uint32_t(sysconf(_SC_PAGESIZE));
    for (int i = 0; i < kCpuWords; i++) id.cpu[i] = cpuid_word(kWords[i]);
    id.xcr0 = read_xcr0();
    uint32_t brand[12] = {};
    for (uint32_t i = 0; i < 3; i++)
      if (__get_cpuid(0x80000002 + i, &brand[i * 4], &brand[i * 4 + 1], &brand[i * 4 + 2], &brand[i * 4 + 3]) == 0)
        break;
    memcpy(id.cpu_model, brand, sizeof(id.cpu_model) - 1);
    return id;
  }();
  return identity;
}

std::string incompatibility(const MirrorIdentity& primary, const MirrorIdentity& backup) {
  if (primary.machine != backup.machine)
    return "the primary is " + machine_name(primary.machine) + " and the backup " + machine_name(backup.machine) +
           ": a pair needs hosts of one architecture";
  if (primary.page_size != backup.page_size)
    return "the primary's pages have " + std::to_string(primary.page_size) + " bytes and the backup's " +
           std::to_string(backup.page_size) + ": a pair needs kernels with one page size";
  std::string missing;
  for (int i = 0; i < kCpuWords; i++) {
    const uint32_t lacking = primary.cpu[i] & ~backup.cpu[i];
    for (const auto& feature : kWords[i].features)
      if (feature.name != nullptr && (lacking >> feature.bit & 1) != 0)
        missing += (missing.empty() ? "" : ", ") + std::string(feature.name);
  }
  if ((primary.xcr0 & ~backup.xcr0) != 0)
    missing += std::string(missing.empty() ? "" : ", ") + "register state enabled in xcr0";
  if (missing.empty()) return "";
  return "the backup's CPU lacks what the primary's has (" + missing +
         "), and programs choose by it when they start: use the lesser CPU as primary, or mask these features";
}

}  // namespace understudy::host
