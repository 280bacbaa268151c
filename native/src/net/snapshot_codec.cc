// Sockets of a snapshot as records: little-endian, fields in a fixed order, byte strings with their length before them. Version first; a
// record of another version is refused, both hosts of a pair run the same program.
#include <algorithm>

#include "common.h"
#include "net/connection_snapshot.h"

namespace understudy::host {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint32_t kBytesMax = 512u << 20;  // of one queue; no kernel lets a socket have as much
constexpr int kScaleMax = 14;

enum Flag : uint32_t {
  kGated = 1,
  kRemoteFin = 2,
  kRemoteReset = 4,
  kLocalFin = 8,
  kFinAcknowledged = 16,
  kShutRead = 32,
  kSack = 64,
  kTimestamps = 128,
  kAllFlags = 255,
};

[[noreturn]] void refuse(const std::string& why) {
  throw HostError("NET", EBADMSG, "", "a record of a socket cannot be understood: " + why);
}

class Writer {
 public:
  template <class T>
  void put(T value) {
    for (size_t i = 0; i < sizeof value; i++) bytes.push_back(uint8_t(uint64_t(value) >> (8 * i)));
  }
  void put(const std::vector<uint8_t>& string) {
    put(uint32_t(string.size()));
    bytes.insert(bytes.end(), string.begin(), string.end());
  }
  void put(const Endpoint& endpoint) {
    put(endpoint.address.family);
    put(endpoint.port);
    bytes.insert(bytes.end(), endpoint.address.bytes.begin(), endpoint.address.bytes.end());
  }
  std::vector<uint8_t> bytes;
};

class Reader {
 public:
  explicit Reader(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  template <class T>
  T get() {
    const std::span<const uint8_t> part = take(sizeof(T));
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(T); i++) value |= uint64_t(part[i]) << (8 * i);
    return T(value);
  }
  std::vector<uint8_t> string() {
    const auto size = get<uint32_t>();
    if (size > kBytesMax) refuse("a queue of " + std::to_string(size) + " bytes");
    const std::span<const uint8_t> part = take(size);
    return {part.begin(), part.end()};
  }
  Endpoint endpoint() {
    Endpoint endpoint;
    endpoint.address.family = get<uint8_t>();
    endpoint.port = get<uint16_t>();
    const std::span<const uint8_t> part = take(endpoint.address.bytes.size());
    std::copy(part.begin(), part.end(), endpoint.address.bytes.begin());
    const uint8_t family = endpoint.address.family;
    if (family != 0 && family != AF_INET && family != AF_INET6) refuse("address family " + std::to_string(family));
    // Two addresses are the same when all their bytes are.
    const bool tail = family == AF_INET6 || std::all_of(part.begin() + (family == 0 ? 0 : 4), part.end(),
                                                        [](uint8_t byte) { return byte == 0; });
    if (!tail || (family == 0 && endpoint.port != 0)) refuse("an address with something behind it");
    return endpoint;
  }
  int8_t scale() {
    const auto scale = get<int8_t>();
    if (scale < -1 || scale > kScaleMax) refuse("a window scale of " + std::to_string(scale));
    return scale;
  }
  void end() const {
    if (!bytes_.empty()) refuse(std::to_string(bytes_.size()) + " bytes too many");
  }

 private:
  std::span<const uint8_t> take(size_t count) {
    if (bytes_.size() < count) refuse("it is cut short");
    const std::span<const uint8_t> part = bytes_.first(count);
    bytes_ = bytes_.subspan(count);
    return part;
  }
  std::span<const uint8_t> bytes_;
};

}  // namespace

std::vector<uint8_t> encode_socket(const SocketState& s) {
  Writer w;
  w.bytes.reserve(128 + s.unread.size() + s.output.size());
  w.put(kVersion);
  w.put(uint8_t(s.kind));
  w.put(s.family);
  w.put(s.cookie);
  w.put(s.local);
  w.put(s.remote);
  w.put(s.backlog);
  const uint32_t flags = (s.gated ? kGated : 0u) | (s.remote_fin ? kRemoteFin : 0u) |
                         (s.remote_reset ? kRemoteReset : 0u) | (s.local_fin ? kLocalFin : 0u) |
                         (s.fin_acknowledged ? kFinAcknowledged : 0u) | (s.shut_read ? kShutRead : 0u) |
                         (s.sack ? kSack : 0u) | (s.timestamps ? kTimestamps : 0u);
  w.put(flags);
  w.put(s.receive_seq);
  w.put(s.send_seq);
  w.put(s.acknowledged_beyond);
  w.put(s.mss);
  w.put(uint8_t(s.remote_scale));
  w.put(uint8_t(s.local_scale));
  w.put(s.tsval);
  w.put(s.window);
  w.put(s.unread);
  w.put(s.output);
  return std::move(w.bytes);
}

SocketState decode_socket(std::span<const uint8_t> record) {
  Reader r(record);
  SocketState s;
  if (const auto version = r.get<uint8_t>(); version != kVersion)
    refuse("version " + std::to_string(version) + " instead of " + std::to_string(kVersion) +
           "; both hosts need the same version of the program");
  const auto kind = r.get<uint8_t>();
  if (kind < SocketState::kListener || kind > SocketState::kWaiting) refuse("kind " + std::to_string(kind));
  s.kind = SocketState::Kind(kind);
  s.family = r.get<uint8_t>();
  if (s.family != AF_INET && s.family != AF_INET6) refuse("socket family " + std::to_string(s.family));
  s.cookie = r.get<uint64_t>();
  s.local = r.endpoint();
  s.remote = r.endpoint();
  s.backlog = r.get<uint32_t>();
  const auto flags = r.get<uint32_t>();
  if ((flags & ~uint32_t(kAllFlags)) != 0) refuse("flags that do not exist");
  s.gated = (flags & kGated) != 0;
  s.remote_fin = (flags & kRemoteFin) != 0;
  s.remote_reset = (flags & kRemoteReset) != 0;
  s.local_fin = (flags & kLocalFin) != 0;
  s.fin_acknowledged = (flags & kFinAcknowledged) != 0;
  s.shut_read = (flags & kShutRead) != 0;
  s.sack = (flags & kSack) != 0;
  s.timestamps = (flags & kTimestamps) != 0;
  s.receive_seq = r.get<uint32_t>();
  s.send_seq = r.get<uint32_t>();
  s.acknowledged_beyond = r.get<uint32_t>();
  s.mss = r.get<uint16_t>();
  s.remote_scale = r.scale();
  s.local_scale = r.scale();
  s.tsval = r.get<uint32_t>();
  s.window = r.get<uint32_t>();
  s.unread = r.string();
  s.output = r.string();
  r.end();
  const bool no_descriptor = s.kind == SocketState::kWaiting;
  if (no_descriptor != (s.cookie == 0)) refuse("a cookie where there is no descriptor, or none where there is one");
  const bool two_ends = no_descriptor || s.kind == SocketState::kStream || s.kind == SocketState::kConnecting;
  if (two_ends && (!s.local.address || !s.remote.address)) refuse("a connection without addresses");
  if (s.kind == SocketState::kListener && !s.local.address) refuse("a listener without an address");
  if ((s.remote_scale < 0) != (s.local_scale < 0)) refuse("a window scale of one end only");
  return s;
}

}  // namespace understudy::host
