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
  // A round of no more than this goes to memory, which is quick, and is the one before the last: what the process writes to while that
  // is copied is what the last round has to do.
  uint64_t memory_pages = 8192;
  // Rounds to the disk before; a process that writes faster than the disk never gets below the limit.
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

  // While the process runs. Again, when it could not be held for a long time.
  void run(const PrecopyLimits& limits);
  // While it is held: the rest, and all of what cannot be tracked, goes to memory. The mappings are those of this moment.
  // False: the address space is gone.
  bool last_round();
  // Afterwards.
  void write_last();

  const std::vector<TrackedMapping>& mappings() const { return last_.scan.mappings; }
  const PrecopyFigures& figures() const { return figures_; }

 private:
  struct Unmapper {
    size_t size;
    void operator()(uint8_t* p) const;
  };
  // What a round to memory took, until it is written.
  struct Round {
    Scan scan;
    std::vector<Range> ranges, unreadable;
    std::unique_ptr<uint8_t, Unmapper> buffer{nullptr, Unmapper{0}};
  };
  void copy_to_disk(const Scan& scan);
  void copy_to_memory(Round* round);
  void write_round(Round* round);
  static void reserve(Round* round, uint64_t pages);

  PageTracker& tracker_;
  StateWriter& writer_;
  const uint32_t space_;
  PageCopier copier_;
  Round ahead_, last_;
  PrecopyFigures figures_;
};

}  // namespace understudy::host::checkpoint
