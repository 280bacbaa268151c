// The memory of one process on its way into a checkpoint: in rounds while it runs, each of what was written to since the one before, and a
// last one while it is held, which is as small as the rounds could make it.
//
// Invariants:
//  - Held is the process for the scan and the copy of the last round only: checksums and the disk come afterwards.
//  - What one round says is replaced by the next; the writer's contents are right only after write_last().
//
// Must not: hold or release the process, or decide what its shared mappings are worth.
#pragma once
#include <memory>

#include "page_copier.h"
#include "state_file.h"

namespace understudy::host::checkpoint {

struct PrecopyLimits {
  // Rounds end when what is left is no more than this …
  uint64_t last_round_pages = 1024;
  // … or when the process writes faster than it is copied: not less than before, or this many rounds.
  int rounds = 6;
};

struct PrecopyFigures {
  int rounds = 0;
  uint64_t pages_before = 0;          // copied while it ran
  uint64_t pages_last = 0;            // copied while it was held, with `whole` ones
  uint64_t scan_ns = 0, copy_ns = 0;  // of the last round
};

class Precopy {
 public:
  Precopy(PageTracker& tracker, StateWriter& writer, uint32_t space);

  // While the process runs.
  void run(const PrecopyLimits& limits);
  // While it is held: the rest, and all of what cannot be tracked, goes to memory. The mappings are those of this moment.
  // False: the address space is gone.
  bool last_round();
  // Afterwards.
  void write_last();

  const std::vector<TrackedMapping>& mappings() const { return scan_.mappings; }
  const PrecopyFigures& figures() const { return figures_; }

 private:
  struct Unmapper {
    size_t size;
    void operator()(uint8_t* p) const;
  };
  void copy_round();
  void reserve(uint64_t pages);

  PageTracker& tracker_;
  StateWriter& writer_;
  const uint32_t space_;
  PageCopier copier_;
  Scan scan_;
  std::vector<Range> last_, unreadable_;
  std::unique_ptr<uint8_t, Unmapper> buffer_{nullptr, Unmapper{0}};
  PrecopyFigures figures_;
};

}  // namespace understudy::host::checkpoint
