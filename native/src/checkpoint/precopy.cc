// See precopy.h.
#include "precopy.h"

#include <sys/mman.h>

#include <algorithm>

namespace understudy::host::checkpoint {
namespace {
constexpr uint64_t kLastPagesMin = 256;
}  // namespace

void Precopy::Unmapper::operator()(uint8_t* p) const { munmap(p, size); }

Precopy::Precopy(PageTracker& tracker, StateWriter& writer, uint32_t space)
    : tracker_(tracker), writer_(writer), space_(space), copier_(tracker.pid()) {}

// Memory that is there already: first touches in the pause would be the half of it.
void Precopy::reserve(Round* round, uint64_t pages) {
  const size_t size = pages * kPageBytes;
  if (size == 0 || (round->buffer != nullptr && round->buffer.get_deleter().size >= size)) return;
  round->buffer.reset();
  void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (p == MAP_FAILED)
    throw HostError(
        "CHECKPOINT_READ", errno, "",
        "no memory for " + std::to_string(size) + " bytes of a checkpoint's last round: " + errno_text(errno));
  round->buffer = std::unique_ptr<uint8_t, Unmapper>(static_cast<uint8_t*>(p), Unmapper{size});
}

void Precopy::copy_to_disk(const Scan& scan) {
  for (const Range& range : scan.voided) writer_.drop(space_, range.start, range.pages());
  copier_.copy(
      scan.dirty,
      [&](uint64_t address, const uint8_t* data, uint64_t pages) { writer_.pages(space_, address, data, pages); },
      // Unmapped meanwhile, most likely: the next scan says so. Until then nothing is known of it.
      [&](const Range& range) { writer_.drop(space_, range.start, range.pages()); });
}

void Precopy::copy_to_memory(Round* round) {
  uint64_t pages = 0;
  for (const Range& range : round->ranges) pages += range.pages();
  reserve(round, pages);
  round->unreadable.clear();
  copier_.copy_into(round->ranges, round->buffer.get(),
                    [&](const Range& range) { round->unreadable.push_back(range); });
}

void Precopy::write_round(Round* round) {
  for (const Range& range : round->scan.voided) writer_.drop(space_, range.start, range.pages());
  const uint8_t* data = round->buffer.get();
  for (const Range& range : round->ranges) {
    writer_.pages(space_, range.start, data, range.pages());
    data += range.end - range.start;
  }
  // A file's mapping beyond the file's end: the process could not read it either.
  for (const Range& range : round->unreadable) writer_.drop(space_, range.start, range.pages());
  round->scan.voided.clear();
  round->ranges.clear();
  round->unreadable.clear();
}

void Precopy::run(const PrecopyLimits& limits) {
  // Of a run before: what was told of once is not told of again.
  write_last();
  for (int round = 0; round < limits.rounds; round++) {
    ahead_.scan = tracker_.scan();
    const Scan& scan = ahead_.scan;
    if (scan.gone) return;
    figures_.pages_before += scan.dirty_pages;
    figures_.rounds++;
    if (scan.dirty_pages <= limits.memory_pages) break;
    copy_to_disk(scan);
    ahead_.scan.voided.clear();
    ahead_.scan.dirty.clear();
  }
  uint64_t whole = 0;
  for (const Range& range : ahead_.scan.whole) whole += range.pages();
  // The last round is shorter than the one before it, nearly always. What exceeds it is allotted then.
  reserve(&last_, whole + std::clamp(ahead_.scan.dirty_pages, kLastPagesMin, limits.memory_pages));
  ahead_.ranges = std::move(ahead_.scan.dirty);
  ahead_.scan.dirty.clear();
  copy_to_memory(&ahead_);
  tracker_.settle();
}

bool Precopy::last_round() {
  const uint64_t begin = monotonic_ns();
  last_.scan = tracker_.scan();
  const uint64_t scanned = monotonic_ns();
  const Scan& scan = last_.scan;
  if (scan.gone) return false;
  last_.ranges = scan.dirty;
  last_.ranges.insert(last_.ranges.end(), scan.whole.begin(), scan.whole.end());
  figures_.pages_last = 0;
  for (const Range& range : last_.ranges) figures_.pages_last += range.pages();
  copy_to_memory(&last_);
  figures_.scan_ns = scanned - begin;
  figures_.copy_ns = monotonic_ns() - scanned;
  return true;
}

void Precopy::write_last() {
  write_round(&ahead_);
  write_round(&last_);
}

}  // namespace understudy::host::checkpoint
