// See pump.h.
#include "pump.h"

#include <algorithm>

#include "msgpack.h"

namespace understudy::host {
namespace {
constexpr uint64_t kBatchTarget = 256 * 1024;  // larger batches gain nothing and make a reader's unit of loss larger
constexpr int kSleepMinMs = 2, kSleepMaxMs = 50;
}  // namespace

Pump::Pump(MemoryFile& memory, SegmentWriter& writer, OnFailure on_failure, Tap tap, uint64_t events_before)
    : memory_(memory),
      writer_(writer),
      on_failure_(std::move(on_failure)),
      tap_(std::move(tap)),
      events_(events_before) {
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
uint64_t Pump::takeable() const {
  abi::Ring& ring = memory_.control().ring;
  for (;;) {
    const uint32_t group = __atomic_load_n(&ring.group, __ATOMIC_SEQ_CST);
    const uint64_t start = load_acquire(ring.group_start);
    const uint64_t head = __atomic_load_n(&ring.head, __ATOMIC_SEQ_CST);
    if (group != __atomic_load_n(&ring.group, __ATOMIC_SEQ_CST)) continue;
    if ((group & 1) == 0 || __atomic_load_n(&ring.guest_sleeping, __ATOMIC_SEQ_CST) != 0) return head;
    // The pump may have been there already, for want of room.
    return std::max(start, ring.tail);
  }
}

bool Pump::take() {
  abi::Ring& ring = memory_.control().ring;
  const uint64_t tail = ring.tail, head = takeable();
  if (head == tail) return false;
  if (failed()) {
    move_tail(head);
    return true;
  }
  const uint64_t size = memory_.ring_size();
  const uint8_t* begin = memory_.ring() + (tail & (size - 1));
  const uint8_t* end = begin + std::min(head - tail, size);
  const uint8_t* p = begin;
  uint64_t count = 0;
  while (p < end && uint64_t(p - begin) < kBatchTarget) {
    size_t len = event_length(p, end);
    if (len == 0 || head - tail > size) {
      fail({true, {}, "the ring holds something that is not an event, after event " + std::to_string(events_ + count)});
      break;
    }
    p += len;
    count++;
  }
  if (count > 0) {
    if (tap_) tap_(events_ + 1, count, begin, size_t(p - begin), tail + uint64_t(p - begin));
    if (auto error = writer_.append(events_ + 1, count, begin, size_t(p - begin))) {
      fail({false, *error, "cannot write the journal: " + errno_text(error->error)});
      return true;
    }
    __atomic_store_n(&events_, events_ + count, __ATOMIC_RELEASE);
    store_release(bytes_, bytes_ + uint64_t(p - begin));
  }
  move_tail(tail + uint64_t(p - begin));
  return true;
}

void Pump::sleep(int timeout_ms) {
  abi::Ring& ring = memory_.control().ring;
  const uint32_t wake = __atomic_load_n(&ring.pump_wake, __ATOMIC_SEQ_CST);
  __atomic_store_n(&ring.pump_sleeping, 1, __ATOMIC_SEQ_CST);
  // A guest that found the ring full before it could see pump_sleeping is waiting already.
  const bool pressed = __atomic_load_n(&ring.guest_sleeping, __ATOMIC_SEQ_CST) != 0;
  if (!pressed && load_acquire(finishing_) == 0) futex_wait(&ring.pump_wake, wake, timeout_ms);
  __atomic_store_n(&ring.pump_sleeping, 0, __ATOMIC_SEQ_CST);
}

void Pump::run() {
  abi::Ring& ring = memory_.control().ring;
  int timeout_ms = kSleepMinMs;
  for (;;) {
    const bool last = load_acquire(finishing_) != 0;
    const uint64_t before = ring.tail;
    while (take()) {}
    if (last) return;
    // As long as a batch takes to fill: each wake-up costs the guest and its clients a processor for some microseconds.
    const uint64_t taken = ring.tail - before;
    if (taken > kBatchTarget) timeout_ms = std::max(int(uint64_t(timeout_ms) * kBatchTarget / taken), kSleepMinMs);
    else if (taken < kBatchTarget / 2) timeout_ms = std::min(timeout_ms * 2, kSleepMaxMs);
    sleep(timeout_ms);
  }
}

// Whoever had it open is dead.
void Pump::close_group() {
  abi::Ring& ring = memory_.control().ring;
  if ((load_acquire(ring.group) & 1) != 0) __atomic_fetch_add(&ring.group, 1, __ATOMIC_SEQ_CST);
}

void Pump::drain() {
  abi::Ring& ring = memory_.control().ring;
  close_group();
  const uint64_t until = load_acquire(ring.head);
  while (int64_t(load_acquire(ring.tail) - until) < 0) {
    futex_bump(&ring.pump_wake);
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

void Pump::finish() {
  if (!thread_.joinable()) return;
  close_group();
  store_release(finishing_, 1u);
  futex_bump(&memory_.control().ring.pump_wake);
  thread_.join();
  if (failed()) return;
  if (auto error = writer_.close(events_ + 1))
    fail({false, *error, "cannot write the journal: " + errno_text(error->error)});
}

}  // namespace understudy::host
