// Publishes events in a replaying group's ring, wherever they come from: segments on disk (feeder.h) or a primary (pair/replica.h).
//
// Invariants:
//  - Only whole events are published, and never more than the ring holds: the guest's pace bounds memory.
//
// Must not: interpret events, but for the paths of FILE events (for stacks).
#pragma once
#include <map>
#include <mutex>

#include "memory_file.h"

namespace understudy::host {

class RingFeeder {
 public:
  explicit RingFeeder(MemoryFile& memory, uint64_t published = 0) : memory_(memory), published_(published) {}

  // Waits for room. False: stop() was called.
  bool publish(const uint8_t* events, size_t len);
  void stop();
  // No more events will come.
  void close();
  uint64_t published() const { return load_acquire(published_); }
  // The recorded path of the file whose contents are this blob; "" when not known.
  std::string recorded_path(const std::string& sha_hex) const;
  // Of a file whose FILE event is not among those that are published.
  void note_path(const std::string& sha_hex, const std::string& path);

 private:
  bool wait_for_room(uint64_t need);
  void note_file(const uint8_t* p, const uint8_t* end);

  MemoryFile& memory_;
  uint32_t stopping_ = 0;
  uint64_t published_;
  mutable std::mutex mutex_;
  std::map<std::string, std::string> paths_;
};

}  // namespace understudy::host
