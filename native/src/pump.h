// The pump (record): drains the ring into segments.
//
// Invariants:
//  - The ring's tail moves only past events that are in the segment file (written, not synced), or after the journal failed.
//  - With a tap they reach the file some milliseconds later than the tap; drain() and finish() wait for the file.
//  - Memory is bounded: events go from the ring to write(2) without a copy, and the guest waits when the ring is full.
//  - After a failure that is one (WithoutFile) the pump keeps discarding, so that no guest sleeps for ever on a full ring.
//
// Must not: decide what happens to the guest after a failure; it calls on_failure once.
#pragma once
#include <functional>

#include "memory_file.h"
#include "segment.h"

namespace understudy::host {

struct PumpFailure {
  bool malformed;  // the agent wrote something that is not an event; otherwise a write failed
  IoError io;
  std::string text;
};

class Pump {
 public:
  using OnFailure = std::function<void(const PumpFailure&)>;
  // Whole events on their way to the segment, with the ring offset behind the last of them: what a primary mirrors. Called on the
  // pump's thread, before the write.
  using Tap = std::function<void(uint64_t first_seq, uint64_t count, const uint8_t* events, size_t len, uint64_t end)>;
  // events_before: a replica that goes live continues a journal. GoesOn: a file that cannot be written ends there, which on_failure is
  // told; everything else goes on as before. What a service is made of again is with its backup, not in this file.
  enum class WithoutFile { Fails, GoesOn };
  Pump(MemoryFile& memory, SegmentWriter& writer, OnFailure on_failure, Tap tap = {}, uint64_t events_before = 0,
       WithoutFile without_file = WithoutFile::Fails);
  ~Pump();

  // The journal is lost for another reason (a blob could not be written): stop writing, close the ring.
  void fail(const PumpFailure& failure);
  bool failed() const { return __atomic_load_n(&failed_, __ATOMIC_ACQUIRE); }

  // From now on this one is shown what comes; nobody: {}. When it returns the one before is not called any more. Events that nobody has
  // taken yet are the new one's: who cares which, has the baton and has drained. Not on the pump's own thread, and by one caller at a time.
  void retap(Tap tap);
  // Returns when everything published before the call is taken. The caller has the baton, or nobody is alive.
  void drain();
  // Drains, closes the segment, ends the thread. No guest may be alive.
  void finish();

  uint64_t events() const { return __atomic_load_n(&events_, __ATOMIC_ACQUIRE); }
  // Of events in the journal.
  uint64_t bytes() const { return load_acquire(bytes_); }

 private:
  void run();
  bool take();  // false: nothing new is in the ring
  uint64_t count_events(uint64_t from, uint64_t* to, uint64_t events_before);
  bool write(uint64_t to, uint64_t count);
  void write_shown();
  uint64_t takeable(uint64_t from) const;
  void close_group();
  void sleep(int timeout_ms);
  void move_tail(uint64_t to);

  MemoryFile& memory_;
  SegmentWriter& writer_;
  OnFailure on_failure_;
  Tap tap_;
  uint64_t events_, bytes_ = 0;
  // With a tap: what it was shown, and how much of that is not in the segment yet.
  uint64_t shown_, unwritten_ = 0, unwritten_since_ns_ = 0;
  uint32_t draining_ = 0;
  uint32_t retapping_ = 0;  // retap() waits for the pump's thread, which sets it to 0
  Tap next_tap_;
  const WithoutFile without_file_;
  bool failed_ = false, file_over_ = false;
  uint32_t finishing_ = 0;
  std::thread thread_;
};

}  // namespace understudy::host
