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
  // `after`: the replay begins behind this event, where a checkpoint was taken.
  Feeder(MemoryFile& memory, const std::string& journal_dir, OnEnd on_end, uint64_t after = 0);
  ~Feeder();
  void stop();

  uint64_t bytes_read() const { return reader_.bytes_read(); }
  uint64_t total_bytes() const { return reader_.total_bytes(); }
  std::string recorded_path(const std::string& sha_hex) const { return ring_.recorded_path(sha_hex); }
  void note_path(const std::string& sha_hex, const std::string& path) { ring_.note_path(sha_hex, path); }

 private:
  void run();

  const uint64_t after_;
  RingFeeder ring_;
  SegmentReader reader_;
  OnEnd on_end_;
  std::thread thread_;
};

}  // namespace understudy::host
