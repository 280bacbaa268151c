// Segment files: writer and reader side by side, so that they change together.
//
// Format: 32-byte header = magic "UDSYSEG1", u32 format version, u32 segment number, u64 first seq, u32 crc32c of these 24 bytes,
// u32 zero. Then batches: [u32 length][u32 crc32c][payload], the crc over the length field and the payload. Payload = msgpack array
// [epoch, first_seq, count, time_ns], then `count` events. A segment that was closed ends with a batch of count 0. Little-endian.
//
// Invariants:
//  - A file holds whole batches only, up to its valid end: a failed write is cut off again where that is possible.
//  - Every bit is covered: by the header's crc, by the requirement that padding is zero, or by a batch's crc.
//
// Must not: look into events beyond finding where they end.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "common.h"

namespace understudy::host {

inline constexpr uint32_t kSegmentVersion = 1;
inline constexpr size_t kSegmentHeaderBytes = 32;
inline constexpr size_t kBatchHeaderBytes = 8;
inline constexpr uint32_t kBatchBytesMax = 64u << 20;  // a length above this is damage, not a batch

std::string segment_path(const std::string& journal_dir, uint32_t number);

struct IoError {
  int error;
  std::string path;
};

class SegmentWriter {
 public:
  SegmentWriter(std::string journal_dir, uint64_t segment_bytes, uint64_t epoch);

  // Each returns what went wrong, if anything; after an error nothing more may be written.
  std::optional<IoError> open_first(uint64_t first_seq = 1);
  std::optional<IoError> append(uint64_t first_seq, uint64_t count, const uint8_t* events, size_t len);
  std::optional<IoError> close(uint64_t next_seq);
  // From now on a segment, and its place in the folder, is on the disk before the next one begins: sync_to_disk() of the newest is
  // enough then.
  void keep_durable() { durable_ = true; }
  // The segment that is being written, for sync_to_disk(): that takes milliseconds, and appending need not wait for it.
  struct Current {
    UniqueFd file;
    std::string path;
  };
  Current current() const;
  // Closes the segment and begins another: what follows is of a new epoch.
  std::optional<IoError> begin_epoch(uint64_t first_seq, uint64_t epoch);

  uint64_t journal_bytes() const { return __atomic_load_n(&journal_bytes_, __ATOMIC_RELAXED); }
  uint32_t segments() const { return __atomic_load_n(&number_, __ATOMIC_RELAXED); }

 private:
  std::optional<IoError> open_next(uint64_t first_seq);
  std::optional<IoError> write_batch(uint64_t first_seq, uint64_t count, const uint8_t* events, size_t len);

  const std::string journal_dir_;
  const uint64_t segment_bytes_;
  uint64_t epoch_;
  UniqueFd file_;
  std::string path_;
  uint64_t file_bytes_ = 0, journal_bytes_ = 0;
  uint32_t number_ = 0;
  bool failed_ = false, durable_ = false;
};

// What was written to it is on the disk.
std::optional<IoError> sync_to_disk(const SegmentWriter::Current& segment);

struct Batch {
  uint64_t epoch, first_seq, count, time_ns;
  const uint8_t* events;  // valid until the next call of next()
  size_t len;
};

// Where the valid prefix ends, and why.
struct Cut {
  bool clean = false;
  uint64_t seq = 0;  // last event of the prefix
  uint32_t segment = 0;
  uint64_t offset = 0;
  std::string reason;
};

// Reads the longest valid prefix of a journal, batch by batch.
class SegmentReader {
 public:
  // Begins with the segment that has event `first`; what lies before is not read.
  explicit SegmentReader(std::string journal_dir, uint64_t first = 1);
  ~SegmentReader();
  // The next batch with events in it, or nothing at the end of the valid prefix: then cut() says why.
  std::optional<Batch> next();
  const Cut& cut() const { return cut_; }
  uint64_t total_bytes() const { return total_bytes_; }
  uint64_t bytes_read() const { return __atomic_load_n(&bytes_read_, __ATOMIC_RELAXED); }

 private:
  bool open_next();
  std::optional<Batch> end(const std::string& reason, bool clean = false);
  void unmap();

  const std::string journal_dir_;
  uint32_t number_ = 0, segments_ = 0;
  uint8_t* data_ = nullptr;
  size_t size_ = 0, at_ = 0;
  uint64_t next_seq_ = 1, total_bytes_ = 0, bytes_read_ = 0;
  bool closed_ = true;  // the segment read last had its closing batch
  bool done_ = false;
  Cut cut_;
};

}  // namespace understudy::host
