// See segment.h.
#include "segment.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "msgpack.h"

namespace understudy::host {
namespace {

constexpr char kMagic[9] = "UDSYSEG1";

struct Header {
  char magic[8];
  uint32_t version, number;
  uint64_t first_seq;
  uint32_t crc, pad;
};
static_assert(sizeof(Header) == kSegmentHeaderBytes);
constexpr size_t kHeaderCrcBytes = 24;

}  // namespace

std::string segment_path(const std::string& journal_dir, uint32_t number) {
  char name[32];
  snprintf(name, sizeof name, "%08u.seg", number);
  return journal_dir + "/segments/" + name;
}

// ---- Writer ----------------------------------------------------------------------------------------------------------

SegmentWriter::SegmentWriter(std::string journal_dir, uint64_t segment_bytes, uint64_t epoch)
    : journal_dir_(std::move(journal_dir)), segment_bytes_(segment_bytes), epoch_(epoch) {}

std::optional<IoError> SegmentWriter::open_first(uint64_t first_seq) { return open_next(first_seq); }

std::optional<IoError> SegmentWriter::open_next(uint64_t first_seq) {
  const uint32_t number = number_ + 1;
  if (durable_) {
    if (file_ && fdatasync(file_.get()) != 0) return IoError{errno, path_};
  }
  path_ = segment_path(journal_dir_, number);
  // O_EXCL: a journal is never written twice.
  file_.reset(open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file_) {
    failed_ = true;
    return IoError{errno, path_};
  }
  Header header{};
  memcpy(header.magic, kMagic, sizeof header.magic);
  header.version = kSegmentVersion;
  header.number = number;
  header.first_seq = first_seq;
  header.crc = crc32c(0, &header, kHeaderCrcBytes);
  if (int error = write_all(file_.get(), &header, sizeof header)) {
    failed_ = true;
    // A file without a whole header says nothing that the absence of the file does not say better.
    unlink(path_.c_str());
    return IoError{error, path_};
  }
  if (durable_) {
    const std::string folder = journal_dir_ + "/segments";
    const UniqueFd dir(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!dir || fsync(dir.get()) != 0) return IoError{errno, folder};
  }
  __atomic_store_n(&number_, number, __ATOMIC_RELAXED);
  file_bytes_ = sizeof header;
  __atomic_fetch_add(&journal_bytes_, sizeof header, __ATOMIC_RELAXED);
  return std::nullopt;
}

std::optional<IoError> SegmentWriter::write_batch(uint64_t first_seq, uint64_t count, const uint8_t* events,
                                                  size_t len) {
  MsgpackWriter head;
  head.array(4).unsigned_int(epoch_).unsigned_int(first_seq).unsigned_int(count).unsigned_int(realtime_ns());
  const uint32_t length = uint32_t(head.size() + len);
  uint32_t frame[2] = {length, 0};
  uint32_t crc = crc32c(0, &length, sizeof length);
  crc = crc32c(crc, head.data(), head.size());
  frame[1] = crc32c(crc, events, len);

  iovec parts[3] = {
      {frame, sizeof frame}, {const_cast<uint8_t*>(head.data()), head.size()}, {const_cast<uint8_t*>(events), len}};
  size_t left = sizeof frame + length;
  int first = 0, error = 0;
  while (left > 0) {
    ssize_t n = writev(file_.get(), parts + first, 3 - first);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      error = n < 0 ? errno : EIO;
      break;
    }
    left -= size_t(n);
    for (auto taken = size_t(n); taken > 0 && first < 3;) {
      const size_t step = taken < parts[first].iov_len ? taken : parts[first].iov_len;
      parts[first].iov_base = static_cast<char*>(parts[first].iov_base) + step;
      parts[first].iov_len -= step;
      taken -= step;
      if (parts[first].iov_len == 0) first++;
    }
  }
  if (error != 0) {
    failed_ = true;
    // Not needed for recovery (the crc would tell), but it leaves a file that ends cleanly. That it may fail too loses nothing.
    [[maybe_unused]] int truncated = ftruncate(file_.get(), off_t(file_bytes_));
    return IoError{error, path_};
  }
  file_bytes_ += sizeof frame + length;
  __atomic_fetch_add(&journal_bytes_, sizeof frame + length, __ATOMIC_RELAXED);
  return std::nullopt;
}

std::optional<IoError> SegmentWriter::append(uint64_t first_seq, uint64_t count, const uint8_t* events, size_t len) {
  if (file_bytes_ > kSegmentHeaderBytes && file_bytes_ + len > segment_bytes_) {
    if (auto error = write_batch(first_seq, 0, nullptr, 0)) return error;
    if (auto error = open_next(first_seq)) return error;
  }
  return write_batch(first_seq, count, events, len);
}

SegmentWriter::Current SegmentWriter::current() const {
  return {UniqueFd(file_ ? fcntl(file_.get(), F_DUPFD_CLOEXEC, 0) : -1), path_};
}

std::optional<IoError> sync_to_disk(const SegmentWriter::Current& segment) {
  if (!segment.file || fdatasync(segment.file.get()) != 0) return IoError{segment.file ? errno : EMFILE, segment.path};
  return std::nullopt;
}

std::optional<IoError> SegmentWriter::begin_epoch(uint64_t first_seq, uint64_t epoch) {
  if (auto error = write_batch(first_seq, 0, nullptr, 0)) return error;
  epoch_ = epoch;
  return open_next(first_seq);
}

std::optional<IoError> SegmentWriter::close(uint64_t next_seq) {
  if (!file_ || failed_) return std::nullopt;
  if (auto error = write_batch(next_seq, 0, nullptr, 0)) return error;
  int fd = dup(file_.get());
  file_.reset();
  // close(2) is where NFS and quota systems report a write that failed after all.
  if (fd >= 0 && ::close(fd) != 0) {
    failed_ = true;
    return IoError{errno, path_};
  }
  return std::nullopt;
}

// ---- Reader ----------------------------------------------------------------------------------------------------------

SegmentReader::SegmentReader(std::string journal_dir, uint64_t first) : journal_dir_(std::move(journal_dir)) {
  struct stat st;
  while (stat(segment_path(journal_dir_, segments_ + 1).c_str(), &st) == 0) {
    segments_++;
    total_bytes_ += uint64_t(st.st_size);
  }
  // From the last one backwards: what is asked for is mostly near the end. A header that is damaged is met again by whoever reads on.
  for (uint32_t number = segments_; first > 1 && number > 1; number--) {
    UniqueFd file(open(segment_path(journal_dir_, number).c_str(), O_RDONLY | O_CLOEXEC));
    Header header;
    if (!file || pread(file.get(), &header, sizeof header, 0) != ssize_t(sizeof header) ||
        memcmp(header.magic, kMagic, sizeof header.magic) != 0 || header.crc != crc32c(0, &header, kHeaderCrcBytes) ||
        header.number != number || header.first_seq > first)
      continue;
    number_ = number - 1;
    next_seq_ = header.first_seq;
    break;
  }
}

SegmentReader::~SegmentReader() { unmap(); }

void SegmentReader::unmap() {
  if (data_ != nullptr) munmap(data_, size_);
  data_ = nullptr;
}

std::optional<Batch> SegmentReader::end(const std::string& reason, bool clean) {
  done_ = true;
  cut_ = {clean, next_seq_ - 1, number_, at_, reason};
  return std::nullopt;
}

bool SegmentReader::open_next() {
  unmap();
  number_++;
  at_ = 0;
  const std::string path = segment_path(journal_dir_, number_);
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat st;
  if (!file || fstat(file.get(), &st) != 0) return end("cannot open " + path + ": " + errno_text(errno)), false;
  size_ = size_t(st.st_size);
  if (size_ < sizeof(Header)) return end("the segment is shorter than its header"), false;
  void* data = mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) return end("cannot read " + path + ": " + errno_text(errno)), false;
  data_ = static_cast<uint8_t*>(data);
  madvise(data, size_, MADV_SEQUENTIAL);
  Header header;
  memcpy(&header, data_, sizeof header);
  if (memcmp(header.magic, kMagic, sizeof header.magic) != 0) return end("this is not a segment (wrong magic)"), false;
  if (header.crc != crc32c(0, &header, kHeaderCrcBytes) || header.pad != 0)
    return end("the segment's header is damaged"), false;
  if (header.version != kSegmentVersion)
    return end("the segment is of format version " + std::to_string(header.version)), false;
  if (header.number != number_ || header.first_seq != next_seq_)
    return end("the segment does not continue the one before"), false;
  at_ = sizeof header;
  closed_ = false;
  __atomic_fetch_add(&bytes_read_, sizeof header, __ATOMIC_RELAXED);
  return true;
}

std::optional<Batch> SegmentReader::next() {
  for (;;) {
    if (done_) return std::nullopt;
    if (data_ == nullptr || at_ == size_) {
      if (data_ != nullptr && !closed_) {
        return end(number_ < segments_ ? "the segment ends without its closing batch, but another follows"
                                       : "the recording was cut off here");
      }
      if (number_ == segments_) return end(segments_ == 0 ? "the journal has no segments" : "", segments_ > 0);
      if (!open_next()) return std::nullopt;
      continue;
    }
    if (closed_) return end("there is data behind the segment's closing batch");
    const size_t left = size_ - at_;
    uint32_t frame[2];
    if (left < sizeof frame) return end("the last batch is incomplete");
    memcpy(frame, data_ + at_, sizeof frame);
    if (frame[0] > kBatchBytesMax) return end("a batch's length is damaged");
    if (frame[0] > left - sizeof frame) return end("the last batch is incomplete");
    const uint8_t* payload = data_ + at_ + sizeof frame;
    const uint8_t* payload_end = payload + frame[0];
    if (frame[1] != crc32c(crc32c(0, &frame[0], sizeof frame[0]), payload, frame[0]))
      return end("a batch's checksum is wrong");
    MsgpackReader reader(payload, payload_end);
    Batch batch{};
    bool ok = reader.array() == 4;
    batch.epoch = uint64_t(reader.integer());
    batch.first_seq = uint64_t(reader.integer());
    batch.count = uint64_t(reader.integer());
    batch.time_ns = uint64_t(reader.integer());
    if (!ok || !reader.ok()) return end("a batch's head is malformed");
    if (batch.first_seq != next_seq_) return end("events are missing before a batch");
    batch.events = reader.position();
    batch.len = size_t(payload_end - batch.events);
    // The count is what positions are derived from, so it is checked against the events, not believed.
    uint64_t count = 0;
    for (const uint8_t* p = batch.events; p < payload_end; count++) {
      size_t len = event_length(p, payload_end);
      if (len == 0) return end("a batch holds a malformed event");
      p += len;
    }
    if (count != batch.count) return end("a batch's count is wrong");
    at_ += sizeof frame + frame[0];
    __atomic_fetch_add(&bytes_read_, sizeof frame + frame[0], __ATOMIC_RELAXED);
    next_seq_ += count;
    if (count == 0) {
      closed_ = true;
      continue;
    }
    return batch;
  }
}

}  // namespace understudy::host
