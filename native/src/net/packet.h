// IP and TCP as they pass the gate: addresses, the parts of a packet that the pair needs, and packets of our own making.
//
// Invariants:
//  - parse_tcp() trusts nothing: what it returns lies within the bytes that it was given.
//  - An IPv4 address that a guest sees through an IPv6 socket (::ffff:a.b.c.d) is the IPv4 address, everywhere.
//
// Must not: keep pointers into a packet longer than the call; the queue's buffer is used again.
#pragma once
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace understudy::host {

// As seen from the service: in = from a client (or the remote end of an outward connection) to the VIP.
enum class Direction : uint8_t { kIn = 0, kOut = 1 };

struct Address {
  uint8_t family = 0;  // AF_INET, AF_INET6; 0: none
  std::array<uint8_t, 16> bytes{};

  bool operator==(const Address&) const = default;
  explicit operator bool() const { return family != 0; }
  size_t size() const { return family == AF_INET ? 4 : 16; }
  bool is_any() const { return bytes == std::array<uint8_t, 16>{}; }
  bool is_loopback() const;
  std::string text() const;
  // As in an IPv6 socket's address; IPv4 mapped.
  std::array<uint8_t, 16> mapped() const;
  // Throws HostError NET when it is neither an IPv4 nor an IPv6 address.
  static Address parse(const std::string& text);
};

struct Endpoint {
  Address address;
  uint16_t port = 0;  // host byte order

  bool operator==(const Endpoint&) const = default;
  std::string text() const;
  // nullopt for families other than IP. Mapped addresses become IPv4.
  static std::optional<Endpoint> from(const void* sockaddr, size_t len);
  // For a socket of that family (an IPv4 endpoint is mapped for AF_INET6). Returns the length.
  socklen_t to(sockaddr_storage* out, int socket_family) const;
};

struct FlowKey {
  Endpoint remote, local;
  bool operator==(const FlowKey&) const = default;
};
struct FlowKeyHash {
  size_t operator()(const FlowKey& key) const {
    uint64_t h = 0xcbf29ce484222325;
    auto mix = [&h](const Endpoint& e) {
      uint64_t word[2];
      memcpy(word, e.address.bytes.data(), 16);
      for (uint64_t w : {word[0], word[1], uint64_t(e.port)}) h = (h ^ w) * 0x9e3779b97f4a7c15, h ^= h >> 29;
    };
    mix(key.remote);
    mix(key.local);
    return size_t(h);
  }
};

enum TcpFlag : uint8_t { kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16 };

struct TcpOptions {
  uint16_t mss = 0;          // 0: not given
  int8_t window_scale = -1;  // -1: not given
  bool sack_permitted = false;
  bool timestamps = false;
  uint32_t tsval = 0, tsecr = 0;
};

struct TcpPacket {
  Endpoint source, destination;
  uint32_t seq = 0, ack = 0;
  uint8_t flags = 0;
  uint16_t window = 0;  // as in the packet, not scaled
  TcpOptions options;
  std::span<const uint8_t> payload;

  bool has(uint8_t flag) const { return (flags & flag) != 0; }
  // In sequence space: SYN and FIN count.
  uint32_t sequence_len() const { return uint32_t(payload.size()) + has(kSyn) + has(kFin); }
};

// A TCP packet of IPv4 or IPv6; nullopt for anything else and for what is cut short. Checksums are not looked at.
std::optional<TcpPacket> parse_tcp(std::span<const uint8_t> ip_packet);
// Whether the TCP checksum is right. False for what parse_tcp() refuses.
bool tcp_checksum_ok(std::span<const uint8_t> ip_packet);

// Computes it anew: what a packet socket sees of a packet made on this machine has none yet.
void set_tcp_checksum(std::span<uint8_t> ip_packet);

// The bytes of an IP packet with right checksums. Options are written as given: MSS, window scale and SACK with SYN only.
std::vector<uint8_t> build_tcp(const TcpPacket& packet);

inline bool seq_before(uint32_t a, uint32_t b) { return int32_t(a - b) < 0; }

}  // namespace understudy::host
