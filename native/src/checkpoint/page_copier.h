// Copies of another process's pages, in large batches, while it runs or while it is held.
//
// Invariants:
//  - A page that cannot be read (unmapped since it was told of; a mapping beyond its file's end) is named, never made up.
//
// Must not: write to the process, or stop it.
#pragma once
#include <functional>
#include <vector>

#include "page_tracker.h"

namespace understudy::host::checkpoint {

class PageCopier {
 public:
  // Throws HostError CHECKPOINT_READ.
  explicit PageCopier(pid_t pid);

  using Sink = std::function<void(uint64_t address, const uint8_t* data, uint64_t pages)>;
  using Unreadable = std::function<void(const Range&)>;
  // Calls `sink` for stretches of the ranges, in order. The data is valid during the call.
  void copy(const std::vector<Range>& ranges, const Sink& sink, const Unreadable& unreadable);
  // All at once into memory of the caller's, one page behind the other: for the last round, where every call counts. What cannot be
  // read is zero there, and named.
  void copy_into(const std::vector<Range>& ranges, uint8_t* out, const Unreadable& unreadable);

 private:
  // Of what is contiguous in `out` and given by `parts` (at most kPartsMax).
  void read_parts(const std::vector<Range>& parts, uint8_t* out, const Unreadable& unreadable);
  bool read_page(uint64_t address, uint8_t* out);

  const pid_t pid_;
  UniqueFd memory_;
  std::vector<uint8_t> buffer_;
};

}  // namespace understudy::host::checkpoint
