// The feeder (replay): reads the journal's valid prefix and publishes its events in the ring.
//
// Invariants:
//  - Only whole events are published, and never more than the ring holds: the guest's pace bounds memory.
//  - Nothing behind the first damage is published; Ring::closed is set after the last event.
//
// Must not: interpret events, but for the paths of FILE events (for stacks).
#pragma once
#include <functional>
#include <map>
#include <mutex>

#include "memory_file.h"
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
  // The recorded path of the file whose contents are this blob; "" when not known.
  std::string recorded_path(const std::string& sha_hex) const;

 private:
  void run();
  bool publish(const uint8_t* events, size_t len, uint64_t count);
  bool wait_for_room(uint64_t need);
  void note_file(const uint8_t* p, const uint8_t* end);

  MemoryFile& memory_;
  SegmentReader reader_;
  OnEnd on_end_;
  uint32_t stopping_ = 0;
  uint64_t published_ = 0;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> paths_;
  std::thread thread_;
};

}  // namespace understudy::host
