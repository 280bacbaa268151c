// See page_tracker.h.
#include "page_tracker.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <algorithm>

namespace understudy::host::checkpoint {
namespace {

// <linux/fs.h> and <linux/userfaultfd.h> of Linux 6.7, which distributions' headers may be older than.
struct ScanArgument {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArgument);
constexpr uint64_t kScanProtect = 1;
constexpr uint64_t kProtectable = 1, kWritten = 2, kFile = 4, kPresent = 8, kSwapped = 16;
constexpr uint64_t kFeatureUnpopulated = 1 << 13, kFeatureAsync = 1 << 15;

constexpr uint64_t kTableBytes = 2 << 20;  // that one page table describes
constexpr size_t kRegionsMax = 8192;
constexpr uint64_t kStretchPages = 128;
constexpr uint64_t kUserPages = 1ull << 44;  // with five-level tables

bool prepare(int userfault) {
  // WP_ASYNC alone would be answered with EINVAL: what it builds upon has to be asked for too.
  uffdio_api api{};
  api.api = UFFD_API;
  api.features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | kFeatureUnpopulated | kFeatureAsync;
  return ioctl(userfault, UFFDIO_API, &api) == 0;
}

Range range_of(const PageRun& run) { return {run.page * kPageBytes, (run.page + run.count) * kPageBytes}; }

// Ascending and without overlaps.
void join(std::vector<Range>* ranges) {
  if (!std::is_sorted(ranges->begin(), ranges->end(), [](const Range& a, const Range& b) { return a.start < b.start; }))
    std::sort(ranges->begin(), ranges->end(), [](const Range& a, const Range& b) { return a.start < b.start; });
  size_t n = 0;
  for (const Range& range : *ranges) {
    if (n > 0 && range.start <= (*ranges)[n - 1].end) (*ranges)[n - 1].end = std::max((*ranges)[n - 1].end, range.end);
    else (*ranges)[n++] = range;
  }
  ranges->resize(n);
}

}  // namespace

UniqueFd take_descriptor(pid_t pid, int fd) {
  // PIDFD_THREAD (Linux 6.9): a thread's number does as well.
  UniqueFd process(int(syscall(SYS_pidfd_open, pid, 0)));
  if (!process) process.reset(int(syscall(SYS_pidfd_open, pid, O_EXCL)));
  return process ? UniqueFd(int(syscall(SYS_pidfd_getfd, process.get(), fd, 0))) : UniqueFd();
}

bool parse_maps(const std::string& text, std::vector<TrackedMapping>* out) {
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    TrackedMapping m;
    char flags[5];
    int name = 0;
    unsigned long long start, stop, offset, inode;
    if (sscanf(line.c_str(), "%llx-%llx %4s %llx %x:%x %llu %n", &start, &stop, flags, &offset, &m.major, &m.minor,
               &inode, &name) < 7)
      return false;
    m.start = start;
    m.end = stop;
    m.offset = offset;
    m.inode = inode;
    m.prot = uint32_t((flags[0] == 'r' ? PROT_READ : 0) | (flags[1] == 'w' ? PROT_WRITE : 0) |
                      (flags[2] == 'x' ? PROT_EXEC : 0));
    m.shared = flags[3] == 's';
    if (name > 0 && size_t(name) < line.size()) m.name = line.substr(size_t(name));
    out->push_back(std::move(m));
  }
  return true;
}

bool PageTracker::supported(std::string* why) {
  UniqueFd userfault(int(syscall(SYS_userfaultfd, kUserfaultFlags)));
  if (!userfault) {
    *why = "userfaultfd is not to be had: " + errno_text(errno);
    return false;
  }
  UniqueFd pagemap(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC));
  ScanArgument empty{};
  empty.size = sizeof empty;
  if (!prepare(userfault.get()) || !pagemap || ioctl(pagemap.get(), kPagemapScan, &empty) != 0) {
    *why = "this kernel cannot tell which pages were written to (Linux 6.7 can)";
    return false;
  }
  return true;
}

PageTracker::PageTracker(pid_t pid, UniqueFd userfault, Filter filter)
    : pid_(pid), filter_(std::move(filter)), userfault_(std::move(userfault)), regions_(kRegionsMax) {
  const std::string proc = "/proc/" + std::to_string(pid);
  // Both stay with the address space that the process has now.
  maps_ = UniqueFd(open((proc + "/maps").c_str(), O_RDONLY | O_CLOEXEC));
  if (!maps_) fail(errno, "read " + proc + "/maps");
  pagemap_ = UniqueFd(open((proc + "/pagemap").c_str(), O_RDONLY | O_CLOEXEC));
  if (!pagemap_) fail(errno, "read " + proc + "/pagemap");
  if (!userfault_ || !prepare(userfault_.get())) fail(errno, "use its userfaultfd");
}

void PageTracker::fail(int error, const std::string& doing) const {
  throw HostError(
      "CHECKPOINT_TRACK", error, "",
      "cannot follow what process " + std::to_string(pid_) + " writes: cannot " + doing + ": " + errno_text(error));
}

bool PageTracker::read_mappings(std::vector<TrackedMapping>* out) {
  std::string text;
  char buffer[65536];
  for (;;) {
    const ssize_t n = pread(maps_.get(), buffer, sizeof buffer, off_t(text.size()));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == ESRCH) return false;
    if (n < 0) fail(errno, "read its maps");
    if (n == 0) break;
    text.append(buffer, size_t(n));
  }
  // An address space that nobody has any more has no lines.
  if (text.empty()) return false;
  if (!parse_maps(text, out)) fail(EPROTO, "understand its maps");
  return true;
}

template <class F>
void PageTracker::pagemap_scan(const Range& range, uint64_t flags, uint64_t inverted, uint64_t mask, F f,
                               uint64_t any) {
  ScanArgument argument{};
  argument.size = sizeof argument;
  argument.flags = flags;
  argument.start = range.start;
  argument.end = range.end;
  argument.vec = reinterpret_cast<uint64_t>(regions_.data());
  argument.vec_len = regions_.size();
  argument.category_inverted = inverted;
  argument.category_mask = mask;
  argument.category_anyof_mask = any;
  argument.return_mask = mask | any;
  while (argument.start < argument.end) {
    const long found = ioctl(pagemap_.get(), kPagemapScan, &argument);
    if (found < 0 && errno == EINTR) continue;
    // It has ended, or executed another program, since its maps were read.
    if (found < 0 && errno == ESRCH) {
      gone_ = true;
      return;
    }
    if (found < 0) fail(errno, "look at its page tables");
    for (long i = 0; i < found; i++) f(Range{regions_[size_t(i)].start, regions_[size_t(i)].end});
    if (argument.walk_end <= argument.start) return;
    argument.start = argument.walk_end;
  }
}

bool PageTracker::protect(const Range& range) {
  uffdio_register request{};
  request.range = {range.start, range.end - range.start};
  request.mode = UFFDIO_REGISTER_MODE_WP;
  return ioctl(userfault_.get(), UFFDIO_REGISTER, &request) == 0;
}

// Marks that a mapping had before it was registered say nothing, because without registration no write takes them away. mremap leaves such:
// where the kernel makes the moved mapping and its neighbour one, it takes the registration from both and leaves the neighbour's marks
// (and before Linux 6.13 those of what was moved). Without marks everything that is there counts as written to.
bool PageTracker::clear_marks(const Range& range) {
  uffdio_writeprotect request{};
  request.range = {range.start, range.end - range.start};
  return ioctl(userfault_.get(), UFFDIO_WRITEPROTECT, &request) == 0;
}

void PageTracker::register_new(Scan* scan) {
  std::vector<Range> stale;
  stale.swap(stale_);
  std::erase_if(refused_, [&](const Range& range) {
    return std::none_of(scan->mappings.begin(), scan->mappings.end(),
                        [&](const TrackedMapping& m) { return m.range() == range; });
  });
  for (TrackedMapping& m : scan->mappings) {
    // [vvar], [vdso], [vsyscall]: the kernel's, and the same wherever it is the same kernel.
    if (m.name.starts_with("[v")) continue;
    m.tracking = filter_(m);
    if (m.tracking == Tracking::kIgnored) continue;
    if (m.shared || std::find(refused_.begin(), refused_.end(), m.range()) != refused_.end())
      m.tracking = Tracking::kWhole;
    if (m.tracking == Tracking::kWhole) continue;
    std::vector<Range> fresh;
    pagemap_scan(m.range(), 0, kProtectable, kProtectable, [&](const Range& range) {
      if (!fresh.empty() && fresh.back().end == range.start) fresh.back().end = range.end;
      else fresh.push_back(range);
    });
    for (const Range& range : stale)
      if (const Range both{std::max(range.start, m.start), std::min(range.end, m.end)}; both.start < both.end)
        fresh.push_back(both);
    join(&fresh);
    for (const Range& range : fresh) {
      scan->voided.push_back(range);
      if (protect(range)) {
        // Changed meanwhile: again with the next scan. While the process is held nothing changes.
        if (!clear_marks(range)) stale_.push_back(range);
        continue;
      }
      // Unmapped meanwhile, or no memory for it now, is no refusal: the next scan tries again.
      if (errno != ENOENT && errno != ENOMEM) refused_.push_back(m.range());
      m.tracking = Tracking::kWhole;
      break;
    }
  }
}

// What is known of places where nothing is mapped any more, or nothing that is tracked.
void PageTracker::void_unmapped(Scan* scan) {
  uint64_t at = 0;
  const auto gap = [&](uint64_t end) {
    for (const PageRun& run : known_.runs_in(at, end - at)) {
      // The maps are not read at one moment: a mapping that was split or joined meanwhile may be missing. Where there are pages there is
      // one, and the next scan says whose they are.
      PageMap gone;
      gone.assign(run.page, run.count, {Place::kVoid});
      const auto there = [&](const Range& range) { gone.erase(range.start / kPageBytes, range.pages()); };
      pagemap_scan(range_of(run), 0, 0, kPresent, there);
      pagemap_scan(range_of(run), 0, 0, kSwapped, there);
      for (const PageRun& left : gone.runs()) scan->voided.push_back(range_of(left));
    }
  };
  for (const TrackedMapping& m : scan->mappings) {
    if (m.tracking != Tracking::kTracked) continue;
    gap(m.start / kPageBytes);
    at = m.end / kPageBytes;
  }
  gap(kUserPages);
}

void PageTracker::scan_written(Scan* scan) {
  const std::vector<TrackedMapping>& mappings = scan->mappings;
  const auto dirty = [&](const Range& range) { scan->dirty.push_back(range); };
  // Neighbours together, of one kind: a walk for each mapping would be a system call for each.
  for (size_t i = 0; i < mappings.size();) {
    if (mappings[i].tracking != Tracking::kTracked) {
      i++;
      continue;
    }
    Range range = mappings[i].range();
    const bool file = mappings[i].of_file();
    for (i++; i < mappings.size() && mappings[i].tracking == Tracking::kTracked && mappings[i].of_file() == file &&
              mappings[i].start == range.end;
         i++)
      range.end = mappings[i].end;
    // What was mapped anew since the maps were read is found by the next scan (clear_marks). PM_SCAN_CHECK_WPASYNC would
    // have it answered with EPERM, and what was protected again until there would be lost: no count comes with an error.
    if (!file) {
      scan_anonymous(range, scan);
      continue;
    }
    // Of a mapped file only copies made by writing: what is still the page cache's is not in question, and neither is what is not there
    // (some kernels count it as written to).
    pagemap_scan(range, kScanProtect, kFile, kWritten | kFile | kPresent, dirty);
    pagemap_scan(range, kScanProtect, 0, kWritten | kSwapped, dirty);
  }
}

// The kernel has a shorter way when nothing is asked for but what was written to. It counts pages that were never touched, too; a few are no
// harm, they are zeros. But a thread's stack, or an allocator's reserve, is megabytes of nothing: copied, it would be the most of a
// pause, and protected, it would get page tables. So longer stretches are looked for first, and of those only what is there is told of.
void PageTracker::scan_anonymous(const Range& range, Scan* scan) {
  const auto dirty = [&](const Range& r) { scan->dirty.push_back(r); };
  std::vector<Range> stretches;
  if (range.pages() >= kStretchPages)
    pagemap_scan(range, 0, 0, kWritten, [&](const Range& r) {
      // The kernel's answers end where its table is full.
      if (!stretches.empty() && stretches.back().end == r.start) stretches.back().end = r.end;
      else stretches.push_back(r);
    });
  std::erase_if(stretches, [](const Range& r) { return r.pages() < kStretchPages; });
  uint64_t at = range.start;
  for (const Range& stretch : stretches) {
    if (at < stretch.start) pagemap_scan({at, stretch.start}, kScanProtect, 0, kWritten, dirty);
    // What is not there any more has been discarded.
    for (const PageRun& run : known_.runs_in(stretch.start / kPageBytes, stretch.pages()))
      scan->voided.push_back(range_of(run));
    pagemap_scan(stretch, kScanProtect, 0, kWritten, dirty, kPresent | kSwapped);
    at = stretch.end;
  }
  if (at < range.end) pagemap_scan({at, range.end}, kScanProtect, 0, kWritten, dirty);
}

// Pages that were told of and have no memory any more: MADV_DONTNEED and the like leave no trace in what was written.
void PageTracker::scan_discarded(Scan* scan) {
  for (const TrackedMapping& m : scan->mappings) {
    if (m.tracking != Tracking::kTracked) continue;
    const auto runs = known_.runs_in(m.start / kPageBytes, m.range().pages());
    if (runs.empty()) continue;
    if (!m.of_file()) {
      for (const Range& range : without_tables(runs))
        pagemap_scan(range, 0, kPresent | kSwapped, kPresent | kSwapped, [&](const Range& gone) {
          for (const PageRun& run : known_.runs_in(gone.start / kPageBytes, gone.pages()))
            scan->voided.push_back(range_of(run));
        });
      continue;
    }
    // A mapped file's page has the file's bytes again then. It may be there (and clean), or have left a marker, which counts as
    // swapped. Those are copied again: no harm if they are swapped indeed.
    const Range span{runs.front().page * kPageBytes, (runs.back().page + runs.back().count) * kPageBytes};
    const auto gone = [&](std::vector<Range>* to) {
      return [this, to](const Range& range) {
        for (const PageRun& run : known_.runs_in(range.start / kPageBytes, range.pages())) to->push_back(range_of(run));
      };
    };
    pagemap_scan(span, 0, 0, kPresent | kFile, gone(&scan->voided));
    pagemap_scan(span, 0, kPresent, kPresent, gone(&scan->dirty));
  }
}

// Of anonymous memory: the parts (of one page table each) that have no page table any more. Where there is one, scan_anonymous has told of
// what was discarded, because an empty entry has no mark. Asking for each page would take longer than all else that a scan does (27 ns).
std::vector<Range> PageTracker::without_tables(const std::vector<PageRun>& runs) {
  std::vector<Range> out;
  uint64_t asked = 0;  // up to this address
  for (const PageRun& run : runs) {
    const Range range = range_of(run);
    for (uint64_t at = std::max(range.start, asked); at < range.end; at = asked) {
      asked = at / kTableBytes * kTableBytes + kTableBytes;
      const auto gone = [&](const Range&) { out.push_back({at, std::min(asked, range_of(runs.back()).end)}); };
      pagemap_scan({at, at + kPageBytes}, 0, kPresent | kSwapped, kPresent | kSwapped, gone);
    }
  }
  return out;
}

// Pages that were told of as void while the process ran, and are there: told of again, so that the last word, while it is held, is right.
void PageTracker::recheck_voided(Scan* scan) {
  for (const TrackedMapping& m : scan->mappings) {
    if (m.tracking != Tracking::kTracked) continue;
    for (const PageRun& run : unsaved_.runs_in(m.start / kPageBytes, m.range().pages())) {
      if (run.place.kind != Place::kVoid) continue;
      const auto there = [&](const Range& range) { scan->dirty.push_back(range); };
      pagemap_scan(range_of(run), 0, m.of_file() ? kFile : 0, m.of_file() ? kPresent | kFile : kPresent, there);
    }
  }
}

// What a checkpoint that came to nothing had, as far as there is still something mapped.
void PageTracker::tell_again(Scan* scan) {
  for (const PageRun& run : unsaved_.runs())
    if (run.place.kind == Place::kVoid) scan->voided.push_back(range_of(run));
  for (const TrackedMapping& m : scan->mappings) {
    if (m.tracking != Tracking::kTracked) continue;
    for (const PageRun& run : unsaved_.runs_in(m.start / kPageBytes, m.range().pages()))
      if (run.place.kind == Place::kZero) scan->dirty.push_back(range_of(run));
  }
  rewound_ = false;
}

Scan PageTracker::scan() {
  settle();
  Scan out;
  gone_ = !read_mappings(&out.mappings);
  register_new(&out);
  void_unmapped(&out);
  scan_written(&out);
  // Afterwards: what is discarded between the two is told of by the next scan.
  scan_discarded(&out);
  recheck_voided(&out);
  if (gone_) {
    Scan nothing;
    nothing.gone = true;
    return nothing;
  }
  if (rewound_) tell_again(&out);
  join(&out.voided);
  join(&out.dirty);
  for (const Range& range : out.dirty) out.dirty_pages += range.pages();
  for (const TrackedMapping& m : out.mappings)
    if (m.tracking == Tracking::kWhole) out.whole.push_back(m.range());
  told_voided_ = out.voided;
  told_dirty_ = out.dirty;
  return out;
}

void PageTracker::settle() {
  for (const Range& range : told_voided_) {
    known_.erase(range.start / kPageBytes, range.pages());
    unsaved_.assign(range.start / kPageBytes, range.pages(), {Place::kVoid});
  }
  for (const Range& range : told_dirty_) {
    known_.assign(range.start / kPageBytes, range.pages(), {Place::kZero});
    unsaved_.assign(range.start / kPageBytes, range.pages(), {Place::kZero});
  }
  told_voided_.clear();
  told_dirty_.clear();
}

void PageTracker::saved() {
  settle();
  unsaved_ = PageMap();
}

void PageTracker::restart() {
  settle();
  unsaved_ = known_;
  rewound_ = true;
}

}  // namespace understudy::host::checkpoint
