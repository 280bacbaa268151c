// See pump.h.
#include "pump.h"

#include <algorithm>

#include "msgpack.h"

namespace understudy::host {
namespace {
constexpr uint64_t kBatchTarget = 256 * 1024;  // larger batches gain nothing and make a reader's unit of loss larger
constexpr int kSleepMinMs = 2, kSleepMaxMs = 50;
// How long the file may lag behind what the tap was shown.
constexpr int kUnwrittenMs = 5;
constexpr uint64_t kUnwrittenNs = kUnwrittenMs * 1'000'000ull;
}  // namespace

Pump::Pump(MemoryFile& memory, SegmentWriter& writer, OnFailure on_failure, Tap tap, uint64_t events_before,
           WithoutFile without_file)
    : memory_(memory),
      writer_(writer),
      on_failure_(std::move(on_failure)),
      tap_(std::move(tap)),
      events_(events_before),
      shown_(memory.control().ring.tail),
      without_file_(without_file) {
  thread_ = start_thread("us-pump", [this] { run(); });
}

Pump::~Pump() { finish(); }

void Pump::fail(const PumpFailure& failure) {
  if (__atomic_exchange_n(&failed_, true, __ATOMIC_SEQ_CST)) return;
  abi::Ring& ring = memory_.control().ring;
  store_release(ring.closed, 1u);
  futex_bump(&ring.guest_wake);
  on_failure_(failure);
}

void Pump::move_tail(uint64_t to) {
  abi::Ring& ring = memory_.control().ring;
  __atomic_store_n(&ring.tail, to, __ATOMIC_SEQ_CST);
  // Sequentially consistent on both sides: either the agent sees the new tail, or this sees that it sleeps.
  if (__atomic_exchange_n(&ring.guest_sleeping, 0, __ATOMIC_SEQ_CST) != 0) futex_bump(&ring.guest_wake);
}

// How far the ring may be taken: not into an open group, unless the guest waits for room in it.
uint64_t Pump::takeable(uint64_t from) const {
  abi::Ring& ring = memory_.control().ring;
  for (;;) {
    const uint32_t group = __atomic_load_n(&ring.group, __ATOMIC_SEQ_CST);
    const uint64_t start = load_acquire(ring.group_start);
    const uint64_t head = __atomic_load_n(&ring.head, __ATOMIC_SEQ_CST);
    if (group != __atomic_load_n(&ring.group, __ATOMIC_SEQ_CST)) continue;
    if ((group & 1) == 0 || __atomic_load_n(&ring.guest_sleeping, __ATOMIC_SEQ_CST) != 0) return head;
    // The pump may have been there already, for want of room.
    return std::max(start, from);
  }
}

// Whole events from `from` on: their number and, in `to`, where they end. 0: there are none, or what is there is none.
uint64_t Pump::count_events(uint64_t from, uint64_t* to, uint64_t events_before) {
  const uint64_t head = takeable(from), size = memory_.ring_size();
  *to = from;
  if (head == from) return 0;
  const uint8_t* begin = memory_.ring() + (from & (size - 1));
  const uint8_t* end = begin + std::min(head - from, size);
  const uint8_t* p = begin;
  uint64_t count = 0;
  while (p < end && uint64_t(p - begin) < kBatchTarget) {
    size_t len = event_length(p, end);
    if (len == 0 || head - from > size) {
      fail({true,
            {},
            "the ring holds something that is not an event, after event " + std::to_string(events_before + count)});
      break;
    }
    p += len;
    count++;
  }
  *to = from + uint64_t(p - begin);
  return count;
}

// To the segment, and out of the ring: events up to `to`, `count` of them.
bool Pump::write(uint64_t to, uint64_t count) {
  abi::Ring& ring = memory_.control().ring;
  const uint64_t tail = ring.tail;
  const uint8_t* begin = memory_.ring() + (tail & (memory_.ring_size() - 1));
  if (!file_over_) {
    if (auto error = writer_.append(events_ + 1, count, begin, to - tail)) {
      const PumpFailure failure{false, *error, "cannot write the journal: " + errno_text(error->error)};
      if (without_file_ == WithoutFile::Fails) {
        fail(failure);
        return false;
      }
      file_over_ = true;
      on_failure_(failure);
    }
  }
  __atomic_store_n(&events_, events_ + count, __ATOMIC_RELEASE);
  store_release(bytes_, bytes_ + (to - tail));
  move_tail(to);
  return true;
}

bool Pump::take() {
  abi::Ring& ring = memory_.control().ring;
  if (failed()) {
    const uint64_t tail = ring.tail, head = takeable(tail);
    if (head == tail) return false;
    move_tail(head);
    return true;
  }
  uint64_t to;
  if (!tap_) {
    const uint64_t count = count_events(ring.tail, &to, events_);
    if (count > 0) write(to, count);
    return count > 0 || failed();
  }
  const uint64_t count = count_events(shown_, &to, events_ + unwritten_);
  if (count == 0) return failed();
  const uint8_t* begin = memory_.ring() + (shown_ & (memory_.ring_size() - 1));
  tap_(events_ + unwritten_ + 1, count, begin, to - shown_, to);
  if (unwritten_ == 0) unwritten_since_ns_ = monotonic_ns();
  unwritten_ += count;
  shown_ = to;
  if (shown_ - ring.tail >= kBatchTarget / 4) write_shown();
  return true;
}

// The peer has them already, and the guest waits for that only: a write for each would cost more than all the rest of the pump's work.
void Pump::write_shown() {
  if (unwritten_ == 0 || failed()) return;
  const uint64_t count = unwritten_;
  unwritten_ = 0;
  write(shown_, count);
}

void Pump::sleep(int timeout_ms) {
  abi::Ring& ring = memory_.control().ring;
  const uint32_t wake = __atomic_load_n(&ring.pump_wake, __ATOMIC_SEQ_CST);
  __atomic_store_n(&ring.pump_sleeping, 1, __ATOMIC_SEQ_CST);
  // A guest that found the ring full before it could see pump_sleeping is waiting already.
  const bool pressed = __atomic_load_n(&ring.guest_sleeping, __ATOMIC_SEQ_CST) != 0;
  // Nor is one woken for that began to wait for an output's events before: sequentially consistent on both sides, too.
  const bool awaited = tap_ && int64_t(__atomic_load_n(&memory_.control().pair.needed, __ATOMIC_SEQ_CST) - shown_) > 0;
  if (!pressed && !awaited && load_acquire(finishing_) == 0) futex_wait(&ring.pump_wake, wake, timeout_ms);
  __atomic_store_n(&ring.pump_sleeping, 0, __ATOMIC_SEQ_CST);
}

void Pump::run() {
  abi::Ring& ring = memory_.control().ring;
  int timeout_ms = kSleepMinMs;
  for (;;) {
    const bool last = load_acquire(finishing_) != 0;
    const bool asked = load_acquire(draining_) != 0;
    const uint64_t before = tap_ ? shown_ : ring.tail;
    while (take()) {}
    // A guest that waits for room has filled the ring.
    const bool pressed = __atomic_load_n(&ring.guest_sleeping, __ATOMIC_SEQ_CST) != 0;
    if (last || asked || pressed || (unwritten_ != 0 && monotonic_ns() - unwritten_since_ns_ > kUnwrittenNs))
      write_shown();
    if (last) return;
    if (load_acquire(retapping_) != 0) {
      write_shown();
      tap_ = std::move(next_tap_);
      shown_ = ring.tail;
      store_release(retapping_, 0u);
      futex_wake_all(&retapping_);
    }
    // As long as a batch takes to fill: each wake-up costs the guest and its clients a processor for some microseconds.
    const uint64_t taken = (tap_ ? shown_ : ring.tail) - before;
    if (taken > kBatchTarget) timeout_ms = std::max(int(uint64_t(timeout_ms) * kBatchTarget / taken), kSleepMinMs);
    else if (taken < kBatchTarget / 2) timeout_ms = std::min(timeout_ms * 2, kSleepMaxMs);
    sleep(unwritten_ == 0 ? timeout_ms : std::min(timeout_ms, kUnwrittenMs));
  }
}

// Whoever had it open is dead.
void Pump::close_group() {
  abi::Ring& ring = memory_.control().ring;
  if ((load_acquire(ring.group) & 1) != 0) __atomic_fetch_add(&ring.group, 1, __ATOMIC_SEQ_CST);
}

void Pump::retap(Tap tap) {
  if (!thread_.joinable()) return;
  next_tap_ = std::move(tap);
  store_release(retapping_, 1u);
  while (load_acquire(retapping_) != 0) {
    futex_bump(&memory_.control().ring.pump_wake);
    futex_wait(&retapping_, 1, 1);
  }
}

void Pump::drain() {
  abi::Ring& ring = memory_.control().ring;
  close_group();
  const uint64_t until = load_acquire(ring.head);
  __atomic_fetch_add(&draining_, 1, __ATOMIC_SEQ_CST);
  while (int64_t(load_acquire(ring.tail) - until) < 0) {
    futex_bump(&ring.pump_wake);
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
  __atomic_fetch_sub(&draining_, 1, __ATOMIC_SEQ_CST);
}

void Pump::finish() {
  if (!thread_.joinable()) return;
  close_group();
  store_release(finishing_, 1u);
  futex_bump(&memory_.control().ring.pump_wake);
  thread_.join();
  if (failed() || file_over_) return;
  if (auto error = writer_.close(events_ + 1))
    fail({false, *error, "cannot write the journal: " + errno_text(error->error)});
}

}  // namespace understudy::host
