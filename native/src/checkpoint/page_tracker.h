// Which pages of another process have been written to: asynchronous write protection by userfaultfd, asked for with PAGEMAP_SCAN.
//
// A scan tells what changed since the one before, and protects those pages again, in one walk over the page tables; the first write to a
// protected page costs the process about a microsecond and no fault that anybody has to handle.
//
// Invariants:
//  - What is told is never too little: whatever cannot be tracked is told of as a whole, each time (Tracking::kWhole).
//  - A checkpoint that failed loses nothing: what was told since the last saved() is told again after rewind().
//  - One tracker for one address space: a fork's child and an execve make a new one, with a userfaultfd of its own.
//
// Must not: read the memory. page_copier.h does.
#pragma once
#include <stdint.h>

#include <functional>
#include <string>
#include <vector>

#include "common.h"
#include "page_map.h"

namespace understudy::host::checkpoint {

struct Range {
  uint64_t start = 0, end = 0;
  uint64_t pages() const { return (end - start) / kPageBytes; }
  bool operator==(const Range&) const = default;
};

enum class Tracking {
  kTracked,
  kWhole,    // told of as a whole, in each scan: shared with others, or the kernel cannot protect it
  kIgnored,  // not of interest (the filter's choice), or the kernel's own pages
};

// A line of /proc/PID/maps.
struct TrackedMapping {
  uint64_t start = 0, end = 0;
  uint32_t prot = 0;  // mmap's
  bool shared = false;
  uint64_t offset = 0, inode = 0;
  uint32_t major = 0, minor = 0;
  std::string name;
  Tracking tracking = Tracking::kIgnored;

  Range range() const { return {start, end}; }
  // A file's bytes where nothing was written to; zeros otherwise.
  bool of_file() const { return inode != 0; }
};

bool parse_maps(const std::string& text, std::vector<TrackedMapping>* out);

struct Scan {
  // The address space is gone: the process has ended, or executed another program. Nothing else is set then.
  bool gone = false;
  std::vector<TrackedMapping> mappings;
  // To be applied in this order: a range can be in both. Each ascending, without overlaps.
  std::vector<Range> voided;  // whatever was told of these before is void: mapped anew since, unmapped, or discarded
  std::vector<Range> dirty;   // to be copied
  uint64_t dirty_pages = 0;
  // Of mappings with Tracking::kWhole; not part of dirty.
  std::vector<Range> whole;
};

// What a process must call for its tracker: userfaultfd(kUserfaultFlags). It works without privileges (and whatever
// vm.unprivileged_userfaultfd says), because no fault ever waits for an answer.
inline constexpr int kUserfaultFlags = 02000000 | 04000 | 1;  // O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY
// Takes it from there; the process can close its own. Empty with errno.
UniqueFd take_descriptor(pid_t pid, int fd);

class PageTracker {
 public:
  // What is wanted of a mapping. Of a shared one kTracked becomes kWhole.
  using Filter = std::function<Tracking(const TrackedMapping&)>;

  // Whether this kernel has what it needs; `why` says what not.
  static bool supported(std::string* why);

  // `userfault`: made by that process. Throws HostError CHECKPOINT_TRACK.
  PageTracker(pid_t pid, UniqueFd userfault, Filter filter);

  // The first tells of all there is. The process may run meanwhile; what it writes then is told of now or the next time. For the last word
  // it stands still where no write is under way (in its agent): a page of a file that was discarded and is being written to looks, between
  // the fault and the repeated instruction, as if it was never discarded.
  Scan scan();
  // Takes note of what the last scan told; the next one would do it, but that may be the one for which the process is held.
  void settle();
  // What was told of is in a checkpoint that is on the disk.
  void saved();
  // It is not: the next scan tells it again.
  void rewind() { rewound_ = true; }
  // The next scan tells of everything that there is: for a checkpoint without a base.
  void restart();

  pid_t pid() const { return pid_; }

 private:
  bool read_mappings(std::vector<TrackedMapping>* out);
  void register_new(Scan* scan);
  bool protect(const Range& range);
  bool clear_marks(const Range& range);
  void void_unmapped(Scan* scan);
  void scan_written(Scan* scan);
  void scan_anonymous(const Range& range, Scan* scan);
  void scan_discarded(Scan* scan);
  std::vector<Range> without_tables(const std::vector<PageRun>& runs);
  void recheck_voided(Scan* scan);
  void tell_again(Scan* scan);
  // Calls f(range) for all pages in [range) of which (categories ^ inverted) & mask == mask.
  // `any`: of these one at least.
  template <class F>
  void pagemap_scan(const Range& range, uint64_t flags, uint64_t inverted, uint64_t mask, F f, uint64_t any = 0);
  [[noreturn]] void fail(int error, const std::string& doing) const;

  const pid_t pid_;
  const Filter filter_;
  UniqueFd userfault_, maps_, pagemap_;
  struct PageRegion {
    uint64_t start, end, categories;
  };
  std::vector<PageRegion> regions_;              // where the kernel's answers go
  std::vector<Range> told_voided_, told_dirty_;  // by the last scan; not in the two maps yet
  PageMap known_;                                // pages that were told of and are there: kZero
  PageMap unsaved_;                              // since saved(): kZero = dirty, kVoid = voided
  std::vector<Range> refused_;                   // mappings that the kernel would not register
  std::vector<Range> stale_;                     // registered, with marks that say nothing
  bool rewound_ = false;
  bool gone_ = false;  // found by the scan that runs now
};

}  // namespace understudy::host::checkpoint
