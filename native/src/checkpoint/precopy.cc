// See precopy.h.
#include "precopy.h"

#include <sys/mman.h>

#include <algorithm>

namespace understudy::host::checkpoint {

void Precopy::Unmapper::operator()(uint8_t* p) const { munmap(p, size); }

Precopy::Precopy(PageTracker& tracker, StateWriter& writer, uint32_t space)
    : tracker_(tracker), writer_(writer), space_(space), copier_(tracker.pid()) {}

// Memory that is there already: first touches in the pause would be the half of it.
void Precopy::reserve(uint64_t pages) {
  const size_t size = pages * kPageBytes;
  if (buffer_ != nullptr && buffer_.get_deleter().size >= size) return;
  buffer_.reset();
  if (size == 0) return;
  void* p = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (p == MAP_FAILED)
    throw HostError(
        "CHECKPOINT_READ", errno, "",
        "no memory for " + std::to_string(size) + " bytes of a checkpoint's last round: " + errno_text(errno));
  buffer_ = std::unique_ptr<uint8_t, Unmapper>(static_cast<uint8_t*>(p), Unmapper{size});
}

void Precopy::copy_round() {
  for (const Range& range : scan_.voided) writer_.drop(space_, range.start, range.pages());
  copier_.copy(
      scan_.dirty,
      [&](uint64_t address, const uint8_t* data, uint64_t pages) { writer_.pages(space_, address, data, pages); },
      // Unmapped meanwhile, most likely: the next scan says so. Until then nothing is known of it.
      [&](const Range& range) { writer_.drop(space_, range.start, range.pages()); });
  figures_.pages_before += scan_.dirty_pages;
  figures_.rounds++;
  writer_.begin_writeback();
}

void Precopy::run(const PrecopyLimits& limits) {
  uint64_t before = UINT64_MAX;
  for (int round = 0; round < limits.rounds; round++) {
    scan_ = tracker_.scan();
    if (scan_.gone) return;
    copy_round();
    // What this round took is about what the process will have written to by the end of it.
    if (scan_.dirty_pages <= limits.last_round_pages || scan_.dirty_pages >= before) break;
    before = scan_.dirty_pages;
  }
  tracker_.settle();
  uint64_t whole = 0;
  for (const Range& range : scan_.whole) whole += range.pages();
  // Twice what the last round found, because more may come; what exceeds it is allotted then.
  reserve(whole + 2 * std::max(scan_.dirty_pages, limits.last_round_pages));
}

bool Precopy::last_round() {
  const uint64_t begin = monotonic_ns();
  scan_ = tracker_.scan();
  const uint64_t scanned = monotonic_ns();
  if (scan_.gone) return false;
  last_ = scan_.dirty;
  last_.insert(last_.end(), scan_.whole.begin(), scan_.whole.end());
  figures_.pages_last = 0;
  for (const Range& range : last_) figures_.pages_last += range.pages();
  reserve(figures_.pages_last);
  unreadable_.clear();
  copier_.copy_into(last_, buffer_.get(), [&](const Range& range) { unreadable_.push_back(range); });
  figures_.scan_ns = scanned - begin;
  figures_.copy_ns = monotonic_ns() - scanned;
  return true;
}

void Precopy::write_last() {
  for (const Range& range : scan_.voided) writer_.drop(space_, range.start, range.pages());
  const uint8_t* data = buffer_.get();
  for (const Range& range : last_) {
    writer_.pages(space_, range.start, data, range.pages());
    data += range.end - range.start;
  }
  // A file's mapping beyond the file's end: the process could not read it either.
  for (const Range& range : unreadable_) writer_.drop(space_, range.start, range.pages());
  last_.clear();
}

}  // namespace understudy::host::checkpoint
