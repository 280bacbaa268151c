// Finds the instructions that an agent has to see (system calls, time-stamp reads...) in a file's text and says how to rewrite
// each as a jump.
//
// Invariants:
//  - generate() depends on its arguments only: replay must produce the bytes that record produced. Any change to what it or the
//    analysis yields needs a new kSitesVersion, which is part of the cache's file names and of meta.json.
//  - A site is rewritten only when no branch that can be seen enters the bytes that the jump covers; what is not
//    rewritten is caught by Syscall User Dispatch (or PR_SET_TSC), only slower.
//  - Bytes that are not certainly code are left alone: a changed constant would change what the program computes.
//
// Must not: look at a process. Everything comes from the file.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "elf_view.h"
#include "understudy/abi.h"

namespace understudy::host {

inline constexpr uint32_t kSitesVersion = 2;

enum SiteReason : uint8_t {
  kPatchable = 0,
  kTooShort = 1,      // no five bytes of movable instructions around it
  kBranchTarget = 2,  // a branch enters them
  kTrapped = 3,       // not a system call, and one of the above: its first byte becomes an int3
};
const char* site_reason_text(SiteReason reason);
inline bool is_rewritten(uint8_t reason) { return reason == kPatchable || reason == kTrapped; }

// One found instruction. Offsets are file offsets.
struct Site {
  uint64_t offset;       // of the instruction
  uint8_t kind;          // abi::SiteKind
  uint8_t length;        // of the instruction
  uint8_t reg;           // destination register of rdrand, rdseed, rdpid (0..15)
  uint8_t operand_bits;  // 16, 32, 64; 0 where it does not apply
  uint8_t before;        // bytes of whole instructions before it that move into the trampoline
  uint8_t after;         // bytes after it that move
  uint8_t reason;        // SiteReason
  uint8_t pad;
};
static_assert(sizeof(Site) == 16);

struct SiteMap {
  std::vector<Site> sites;         // by offset
  ElfView elf;                     // the file's bytes, for generate()
  uint64_t int80 = 0, gs_use = 0;  // only with a full sweep
};

struct SiteSizes {
  uint64_t trampoline_bytes, patches;
};
SiteSizes bound_sizes(const SiteMap& map, uint64_t offset, uint64_t len);

// What a trampoline stands for: [begin, end) acts for the text at `site` before `continuation`, for the text behind it (`after`) from
// there on.
struct TrampolineOrigin {
  uint64_t begin, end, continuation, site, after;
};

struct Rewrite {
  std::vector<abi::Patch> patches;
  std::vector<uint8_t> trampolines;
  std::vector<TrampolineOrigin> origins;
};
// For the bytes [offset, offset + len) of the file, mapped at `address`, with trampolines at `trampolines` (16-byte aligned,
// within 2 GiB).
Rewrite generate(const SiteMap& map, uint64_t offset, uint64_t len, uint64_t address, uint64_t trampolines,
                 const abi::Entry& entry);

// Analyses a file. full: decode everything and count int 0x80 and gs too (preflight); otherwise only what is
// needed to rewrite. Null when it is not an x86-64 ELF file.
std::shared_ptr<const SiteMap> analyse(const std::string& path, bool full, std::string* error);

// Results by the file's hash, in memory and in the user's cache.
class SiteStore {
 public:
  explicit SiteStore(const std::string& cache_dir);
  std::shared_ptr<const SiteMap> get(const std::string& sha_hex, const std::string& path);

 private:
  std::string dir_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const SiteMap>> maps_;
};

}  // namespace understudy::host
