// A ring buffer whose memory is mapped twice in a row, so that any span of it, also one across its end, is contiguous.
// One-sided writes and CRCs then never have to be split at the end of the ring.
#pragma once
#include <stdint.h>

namespace understudy::host {

class TwinRing {
 public:
  explicit TwinRing(uint64_t bytes);  // a power of two, and a multiple of the page size
  ~TwinRing();
  TwinRing(const TwinRing&) = delete;
  TwinRing& operator=(const TwinRing&) = delete;
  uint8_t* at(uint64_t position) const { return base_ + (position & (bytes_ - 1)); }
  uint64_t offset(uint64_t position) const { return position & (bytes_ - 1); }
  uint8_t* base() const { return base_; }
  uint64_t bytes() const { return bytes_; }

 private:
  uint8_t* base_;
  uint64_t bytes_;
};

}  // namespace understudy::host
