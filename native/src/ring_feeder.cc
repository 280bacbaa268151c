// See ring_feeder.h.
#include "ring_feeder.h"

#include "msgpack.h"

namespace understudy::host {
namespace {
constexpr int kWaitMs = 10;
constexpr uint64_t kPublishBytes = 64 * 1024;  // the guest starts on a part of a batch while the rest is copied
}  // namespace

void RingFeeder::stop() {
  store_release(stopping_, 1u);
  futex_bump(&memory_.control().ring.pump_wake);
}

void RingFeeder::close() {
  abi::Ring& ring = memory_.control().ring;
  __atomic_store_n(&ring.closed, 1, __ATOMIC_SEQ_CST);
  futex_bump(&ring.guest_wake);
}

std::string RingFeeder::recorded_path(const std::string& sha_hex) const {
  std::lock_guard lock(mutex_);
  auto found = paths_.find(sha_hex);
  return found == paths_.end() ? "" : found->second;
}

void RingFeeder::note_path(const std::string& sha_hex, const std::string& path) {
  std::lock_guard lock(mutex_);
  paths_.try_emplace(sha_hex, path);
}

bool RingFeeder::wait_for_room(uint64_t need) {
  abi::Ring& ring = memory_.control().ring;
  while (ring.head + need - load_acquire(ring.tail) > memory_.ring_size()) {
    if (load_acquire(stopping_) != 0) return false;
    const uint32_t wake = __atomic_load_n(&ring.pump_wake, __ATOMIC_SEQ_CST);
    __atomic_store_n(&ring.pump_sleeping, 1, __ATOMIC_SEQ_CST);
    if (ring.head + need - __atomic_load_n(&ring.tail, __ATOMIC_SEQ_CST) > memory_.ring_size())
      futex_wait(&ring.pump_wake, wake, kWaitMs);
    __atomic_store_n(&ring.pump_sleeping, 0, __ATOMIC_SEQ_CST);
  }
  return load_acquire(stopping_) == 0;
}

bool RingFeeder::publish(const uint8_t* events, size_t len) {
  abi::Ring& ring = memory_.control().ring;
  const uint8_t* const end = events + len;
  for (const uint8_t* p = events; p < end;) {
    // The reader has checked that these are whole events.
    const uint8_t* chunk = p;
    uint64_t chunk_count = 0;
    while (p < end && uint64_t(p - chunk) < kPublishBytes) {
      const size_t event = event_length(p, end);
      // [-8, ...: a FILE event; -8 is the byte f8.
      if (event >= 2 && (*p & 0xf0) == 0x90 && p[1] == 0xf8) note_file(p, p + event);
      p += event;
      chunk_count++;
    }
    const uint64_t bytes = uint64_t(p - chunk);
    // An agent never writes an event that is larger than half of the smallest ring.
    if (!wait_for_room(bytes)) return false;
    const uint64_t head = ring.head;
    memcpy(memory_.ring() + (head & (memory_.ring_size() - 1)), chunk, bytes);
    store_release(published_, published_ + chunk_count);
    store_release(ring.head_seq, published_);
    __atomic_store_n(&ring.head, head + bytes, __ATOMIC_SEQ_CST);
    if (__atomic_exchange_n(&ring.guest_sleeping, 0, __ATOMIC_SEQ_CST) != 0) futex_bump(&ring.guest_wake);
  }
  return true;
}

void RingFeeder::note_file(const uint8_t* p, const uint8_t* end) {
  MsgpackReader reader(p, end);
  if (reader.array() < 5) return;
  reader.integer();
  reader.integer();
  const std::string_view sha = reader.bytes();
  reader.integer();
  const std::string_view path = reader.bytes();
  if (!reader.ok() || sha.size() != 32) return;
  std::lock_guard lock(mutex_);
  paths_.try_emplace(hex(reinterpret_cast<const uint8_t*>(sha.data()), sha.size()), path);
}

}  // namespace understudy::host
