// Bytes of one direction of a stream: appended at the end, taken from the front.
//
// Must not: hand out pointers that outlive the next append().
#pragma once
#include <stdint.h>

#include <algorithm>
#include <span>
#include <vector>

namespace understudy::host {

class ByteQueue {
 public:
  size_t size() const { return bytes_.size() - begin_; }
  std::span<const uint8_t> view() const { return {bytes_.data() + begin_, size()}; }

  void append(std::span<const uint8_t> bytes) {
    // Moving what is left costs at most as much as what has been taken since the last time.
    if (begin_ > size() && begin_ > kCompactBytes) {
      bytes_.erase(bytes_.begin(), bytes_.begin() + ptrdiff_t(begin_));
      begin_ = 0;
    }
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void drop(size_t count) {
    begin_ += std::min(count, size());
    if (begin_ != bytes_.size()) return;
    begin_ = 0;
    bytes_.clear();
    // A connection that was busy once must not keep megabytes for ever.
    if (bytes_.capacity() > kKeepBytes) bytes_.shrink_to_fit();
  }

 private:
  static constexpr size_t kCompactBytes = 4096, kKeepBytes = 65536;
  std::vector<uint8_t> bytes_;
  size_t begin_ = 0;
};

}  // namespace understudy::host
