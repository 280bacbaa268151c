// The feeder (replay): reads the journal's valid prefix and publishes its events in the ring.
//
// Invariants:
//  - Nothing behind the first damage is published; Ring::closed is set after the last event.
//
// Must not: interpret events.
#pragma once
#include <functional>

#include "ring_feeder.h"
#include "segment.h"

namespace understudy::host {

class Feeder {
 public:
  using OnEnd = std::function<void(const Cut&)>;
  Feeder(MemoryFile& memory, const std::string& journal_dir, OnEnd on_end);
  ~Feeder();
  void stop();

  uint64_t bytes_read() const { return reader_.bytes_read(); }
  uint64_t total_bytes() const { return reader_.total_bytes(); }
  std::string recorded_path(const std::string& sha_hex) const { return ring_.recorded_path(sha_hex); }

 private:
  void run();

  RingFeeder ring_;
  SegmentReader reader_;
  OnEnd on_end_;
  std::thread thread_;
};

}  // namespace understudy::host
