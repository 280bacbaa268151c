// See net_ring.h.
#include "net/net_ring.h"

#include <algorithm>

namespace understudy::host {
namespace {
constexpr int kSleepMs = 50;  // a wake that was lost must not cost more than this
constexpr uint64_t kMask = abi::kNetBytes - 1;
}  // namespace

std::optional<Endpoint> address_in(const abi::NetMessage& message, const uint8_t* payload, size_t index) {
  const size_t at = index * kNetAddressBytes;
  uint32_t len;
  if (message.payload_bytes < at + sizeof len) return std::nullopt;
  memcpy(&len, payload + at, sizeof len);
  if (len == 0 || len > kNetAddressBytes - sizeof len || message.payload_bytes < at + sizeof len + len)
    return std::nullopt;
  return Endpoint::from(payload + at + sizeof len, len);
}

NetRingCursor::NetRingCursor(uint8_t* net_area, Report report)
    : ring_(*reinterpret_cast<abi::NetRing*>(net_area)),
      bytes_(net_area + abi::kNetHeader),
      report_(std::move(report)) {}

bool NetRingCursor::take(const std::function<bool(const abi::NetMessage&, const uint8_t*)>& on_message) {
  uint64_t tail = ring_.tail;
  const uint64_t head = load_acquire(ring_.head), begin = tail;
  if (head == tail || broken()) return false;
  while (tail != head) {
    const auto& message = *reinterpret_cast<const abi::NetMessage*>(bytes_ + (tail & kMask));
    const uint64_t left = std::min(head - tail, abi::kNetBytes - (tail & kMask));
    // A kNetPad may be as short as its first two words.
    const bool is_pad = left >= 8 && message.kind == abi::kNetPad;
    if (head - tail > abi::kNetBytes || left < 8 || message.size < 8 || message.size % 8 != 0 || message.size > left ||
        (!is_pad && (message.size < sizeof message || message.payload_bytes > message.size - sizeof message))) {
      store_release(broken_, 1u);
      report_(abi::kError, "the network ring holds something that is not a message, at byte " + std::to_string(tail) +
                               "; connections cannot be taken over any more");
      return false;
    }
    if (!is_pad && !on_message(message, reinterpret_cast<const uint8_t*>(&message + 1))) break;
    tail += message.size;
    __atomic_store_n(&ring_.tail, tail, __ATOMIC_SEQ_CST);
  }
  if (tail == begin) return false;
  if (__atomic_exchange_n(&ring_.guest_sleeping, 0, __ATOMIC_SEQ_CST) != 0) futex_bump(&ring_.guest_wake);
  return true;
}

NetRingReader::NetRingReader(uint8_t* net_area, Hooks hooks)
    : hooks_(std::move(hooks)), cursor_(net_area, hooks_.report), ring_(cursor_.ring()) {
  thread_ = start_thread("us-netring", [this] { run(); });
}

NetRingReader::~NetRingReader() { stop(); }

void NetRingReader::stop() {
  if (!thread_.joinable()) return;
  store_release(stopping_, 1u);
  futex_bump(&ring_.host_wake);
  thread_.join();
}

bool NetRingReader::take() {
  return cursor_.take([this](const abi::NetMessage& message, const uint8_t* payload) {
    hooks_.message(message, payload);
    return true;
  });
}

void NetRingReader::sleep() {
  const uint32_t wake = __atomic_load_n(&ring_.host_wake, __ATOMIC_SEQ_CST);
  __atomic_store_n(&ring_.host_sleeping, 1, __ATOMIC_SEQ_CST);
  const bool empty = __atomic_load_n(&ring_.head, __ATOMIC_SEQ_CST) == ring_.tail || cursor_.broken();
  if (empty && load_acquire(stopping_) == 0) futex_wait(&ring_.host_wake, wake, kSleepMs);
  __atomic_store_n(&ring_.host_sleeping, 0, __ATOMIC_SEQ_CST);
}

void NetRingReader::run() {
  while (load_acquire(stopping_) == 0) {
    if (take()) {
      futex_bump(&drained_);
      continue;
    }
    sleep();
  }
  take();
  futex_bump(&drained_);
}

void NetRingReader::drain() {
  const uint64_t until = load_acquire(ring_.head);
  for (;;) {
    const uint32_t seen = load_acquire(drained_);
    if (int64_t(load_acquire(ring_.tail) - until) >= 0 || cursor_.broken() || !thread_.joinable()) return;
    futex_bump(&ring_.host_wake);
    futex_wait(&drained_, seen, 1);
  }
}

}  // namespace understudy::host
