// What the checkpointer's files have in common.
#pragma once
#include <string.h>

#include "common.h"
#include "manifest.h"

namespace understudy::host::checkpoint {

inline constexpr uint64_t kUserPages = 1ull << 35;

[[noreturn]] inline void unsupported(const std::string& what) {
  throw HostError("CHECKPOINT_UNSUPPORTED", ENOTSUP, "", "this program cannot be checkpointed: " + what);
}
inline bool is_zero(const uint8_t* page) { return page[0] == 0 && memcmp(page, page + 1, kPageBytes - 1) == 0; }
inline uint64_t page_up(uint64_t x) { return (x + kPageBytes - 1) & ~(kPageBytes - 1); }

}  // namespace understudy::host::checkpoint
