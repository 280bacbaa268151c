// See packet.h.
#include "packet.h"

#include <arpa/inet.h>

#include "common.h"

namespace understudy::host {
namespace {

constexpr uint8_t kMappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

uint16_t load16(const uint8_t* p) { return uint16_t(p[0] << 8 | p[1]); }
uint32_t load32(const uint8_t* p) { return uint32_t(p[0]) << 24 | uint32_t(p[1]) << 16 | uint32_t(p[2]) << 8 | p[3]; }
void store16(uint8_t* p, uint16_t v) {
  p[0] = uint8_t(v >> 8);
  p[1] = uint8_t(v);
}
void store32(uint8_t* p, uint32_t v) {
  store16(p, uint16_t(v >> 16));
  store16(p + 2, uint16_t(v));
}

Address address_of(uint8_t family, const uint8_t* bytes) {
  Address address;
  address.family = family;
  memcpy(address.bytes.data(), bytes, address.size());
  return address;
}

// Where the TCP header begins and the packet ends; nullopt when this is not a whole TCP packet.
struct Layout {
  uint8_t family;
  size_t tcp, end;
};
std::optional<Layout> layout_of(std::span<const uint8_t> p) {
  if (p.size() < 20) return std::nullopt;
  Layout layout{};
  if (p[0] >> 4 == 4) {
    const size_t header = size_t(p[0] & 15) * 4;
    const size_t total = load16(&p[2]);
    // A fragment has no ports, or not all of its bytes. The kernel puts fragments together before INPUT.
    if (p[9] != IPPROTO_TCP || header < 20 || (load16(&p[6]) & 0x3fff) != 0) return std::nullopt;
    // Length 0: a segment larger than 64 KB that the kernel put together (GRO, "BIG TCP").
    if (total != 0 && (total < header || total > p.size())) return std::nullopt;
    layout = {AF_INET, header, total == 0 ? p.size() : total};
  } else if (p[0] >> 4 == 6) {
    if (p.size() < 40) return std::nullopt;
    const size_t length = load16(&p[4]);
    const size_t end = length == 0 ? p.size() : 40 + length;
    if (end > p.size()) return std::nullopt;
    uint8_t next = p[6];
    size_t at = 40;
    // Extension headers that may precede TCP in a packet that is not a fragment.
    for (int i = 0; i < 8 && (next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING || next == IPPROTO_DSTOPTS); i++) {
      if (at + 8 > end) return std::nullopt;
      next = p[at];
      at += (size_t(p[at + 1]) + 1) * 8;
    }
    if (next != IPPROTO_TCP) return std::nullopt;
    layout = {AF_INET6, at, end};
  } else {
    return std::nullopt;
  }
  if (layout.tcp + 20 > layout.end) return std::nullopt;
  const size_t tcp_header = size_t(p[layout.tcp + 12] >> 4) * 4;
  if (tcp_header < 20 || layout.tcp + tcp_header > layout.end) return std::nullopt;
  return layout;
}

TcpOptions parse_options(const uint8_t* p, const uint8_t* end) {
  TcpOptions options;
  while (p < end && *p != 0) {
    if (*p == 1) {
      p++;
      continue;
    }
    if (end - p < 2 || p[1] < 2 || p[1] > end - p) break;
    if (p[0] == 2 && p[1] == 4) options.mss = load16(p + 2);
    if (p[0] == 3 && p[1] == 3) options.window_scale = int8_t(p[2] > 14 ? 14 : p[2]);  // RFC 7323: more counts as 14
    if (p[0] == 4 && p[1] == 2) options.sack_permitted = true;
    if (p[0] == 8 && p[1] == 10) {
      options.timestamps = true;
      options.tsval = load32(p + 2);
      options.tsecr = load32(p + 6);
    }
    p += p[1];
  }
  return options;
}

uint64_t sum_words(uint64_t sum, const uint8_t* p, size_t len) {
  for (; len >= 2; p += 2, len -= 2) sum += load16(p);
  if (len != 0) sum += uint64_t(*p) << 8;
  return sum;
}
uint16_t fold(uint64_t sum) {
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return uint16_t(~sum);
}
uint16_t tcp_checksum(std::span<const uint8_t> p, const Layout& layout) {
  const size_t len = layout.end - layout.tcp;
  uint64_t sum = layout.family == AF_INET ? sum_words(0, &p[12], 8) : sum_words(0, &p[8], 32);
  sum += IPPROTO_TCP + len;
  return fold(sum_words(sum, &p[layout.tcp], len));
}

}  // namespace

bool Address::is_loopback() const {
  if (family == AF_INET) return bytes[0] == 127;
  static constexpr std::array<uint8_t, 16> one{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return family == AF_INET6 && bytes == one;
}

std::string Address::text() const {
  char buffer[INET6_ADDRSTRLEN] = "-";
  if (family != 0) inet_ntop(family, bytes.data(), buffer, sizeof buffer);
  return buffer;
}

std::array<uint8_t, 16> Address::mapped() const {
  if (family != AF_INET) return bytes;
  std::array<uint8_t, 16> out{};
  out[10] = out[11] = 0xff;
  std::copy_n(bytes.begin(), 4, out.begin() + 12);
  return out;
}

Address Address::parse(const std::string& text) {
  Address address;
  for (int family : {AF_INET, AF_INET6}) {
    if (inet_pton(family, text.c_str(), address.bytes.data()) != 1) continue;
    address.family = uint8_t(family);
    return address;
  }
  throw HostError("NET", EINVAL, text, "\"" + text + "\" is neither an IPv4 nor an IPv6 address");
}

std::string Endpoint::text() const {
  const std::string host = address.text();
  return (address.family == AF_INET6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::optional<Endpoint> Endpoint::from(const void* sockaddr, size_t len) {
  sa_family_t family;
  if (len < sizeof family) return std::nullopt;
  memcpy(&family, sockaddr, sizeof family);
  Endpoint endpoint;
  if (family == AF_INET && len >= sizeof(sockaddr_in)) {
    sockaddr_in in;
    memcpy(&in, sockaddr, sizeof in);
    endpoint.address = address_of(AF_INET, reinterpret_cast<const uint8_t*>(&in.sin_addr));
    endpoint.port = ntohs(in.sin_port);
    return endpoint;
  }
  if (family == AF_INET6 && len >= 24) {  // SIN6_LEN_RFC2133: without the scope
    sockaddr_in6 in{};
    memcpy(&in, sockaddr, len < sizeof in ? len : sizeof in);
    const uint8_t* bytes = in.sin6_addr.s6_addr;
    const bool mapped = memcmp(bytes, kMappedPrefix, sizeof kMappedPrefix) == 0;
    endpoint.address = mapped ? address_of(AF_INET, bytes + 12) : address_of(AF_INET6, bytes);
    endpoint.port = ntohs(in.sin6_port);
    return endpoint;
  }
  return std::nullopt;
}

socklen_t Endpoint::to(sockaddr_storage* out, int socket_family) const {
  memset(out, 0, sizeof *out);
  if (socket_family == AF_INET) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    memcpy(&in.sin_addr, address.bytes.data(), 4);
    memcpy(out, &in, sizeof in);
    return sizeof in;
  }
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(port);
  if (address.family == AF_INET) {
    memcpy(in.sin6_addr.s6_addr, kMappedPrefix, sizeof kMappedPrefix);
    memcpy(in.sin6_addr.s6_addr + 12, address.bytes.data(), 4);
  } else {
    memcpy(in.sin6_addr.s6_addr, address.bytes.data(), 16);
  }
  memcpy(out, &in, sizeof in);
  return sizeof in;
}

std::optional<TcpPacket> parse_tcp(std::span<const uint8_t> p) {
  const std::optional<Layout> layout = layout_of(p);
  if (!layout) return std::nullopt;
  const uint8_t* tcp = &p[layout->tcp];
  const size_t header = size_t(tcp[12] >> 4) * 4;
  TcpPacket packet;
  const bool v4 = layout->family == AF_INET;
  packet.source = {address_of(layout->family, &p[v4 ? 12 : 8]), load16(tcp)};
  packet.destination = {address_of(layout->family, &p[v4 ? 16 : 24]), load16(tcp + 2)};
  packet.seq = load32(tcp + 4);
  packet.ack = load32(tcp + 8);
  packet.flags = tcp[13];
  packet.window = load16(tcp + 14);
  packet.options = parse_options(tcp + 20, tcp + header);
  packet.payload = p.subspan(layout->tcp + header, layout->end - layout->tcp - header);
  return packet;
}

bool tcp_checksum_ok(std::span<const uint8_t> p) {
  const std::optional<Layout> layout = layout_of(p);
  // Over the checksum field itself the sum of a right packet is 0.
  return layout && tcp_checksum(p, *layout) == 0;
}

void set_tcp_checksum(std::span<uint8_t> p) {
  const std::optional<Layout> layout = layout_of(p);
  if (!layout) return;
  store16(&p[layout->tcp + 16], 0);
  store16(&p[layout->tcp + 16], tcp_checksum(p, *layout));
}

std::vector<uint8_t> build_tcp(const TcpPacket& packet) {
  uint8_t options[40];
  size_t n = 0;
  auto put = [&](std::initializer_list<uint8_t> bytes) {
    for (uint8_t b : bytes) options[n++] = b;
  };
  if (packet.has(kSyn)) {
    const TcpOptions& o = packet.options;
    if (o.mss != 0) put({2, 4, uint8_t(o.mss >> 8), uint8_t(o.mss)});
    if (o.sack_permitted) put({1, 1, 4, 2});
    if (o.window_scale >= 0) put({1, 3, 3, uint8_t(o.window_scale)});
  }
  if (packet.options.timestamps) {
    put({1, 1, 8, 10});
    store32(options + n, packet.options.tsval);
    store32(options + n + 4, packet.options.tsecr);
    n += 8;
  }
  const bool v4 = packet.source.address.family == AF_INET;
  const size_t ip_header = v4 ? 20 : 40, tcp_header = 20 + n;
  std::vector<uint8_t> out(ip_header + tcp_header + packet.payload.size());
  if (v4) {
    out[0] = 0x45;
    store16(&out[2], uint16_t(out.size()));
    out[6] = 0x40;  // do not fragment
    out[8] = 64;
    out[9] = IPPROTO_TCP;
    memcpy(&out[12], packet.source.address.bytes.data(), 4);
    memcpy(&out[16], packet.destination.address.bytes.data(), 4);
    store16(&out[10], fold(sum_words(0, out.data(), 20)));
  } else {
    out[0] = 0x60;
    store16(&out[4], uint16_t(out.size() - 40));
    out[6] = IPPROTO_TCP;
    out[7] = 64;
    memcpy(&out[8], packet.source.address.bytes.data(), 16);
    memcpy(&out[24], packet.destination.address.bytes.data(), 16);
  }
  uint8_t* tcp = &out[ip_header];
  store16(tcp, packet.source.port);
  store16(tcp + 2, packet.destination.port);
  store32(tcp + 4, packet.seq);
  store32(tcp + 8, packet.ack);
  tcp[12] = uint8_t(tcp_header / 4 << 4);
  tcp[13] = packet.flags;
  store16(tcp + 14, packet.window);
  memcpy(tcp + 20, options, n);
  if (!packet.payload.empty()) memcpy(tcp + tcp_header, packet.payload.data(), packet.payload.size());
  const Layout layout{packet.source.address.family, ip_header, out.size()};
  store16(tcp + 16, tcp_checksum(out, layout));
  return out;
}

}  // namespace understudy::host
