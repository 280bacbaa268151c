// Packets past the kernel's TCP: sending some in the service's name, or in a client's towards this host, and seeing what arrives for an
// address that is not here yet.
//
// Invariants: everything is open from the constructor on.
// Must not: be used for the streams themselves; those belong to the kernel's sockets.
#pragma once
#include <functional>

#include "common.h"
#include "net/packet.h"

namespace understudy::host {

// Sends whole IP packets. To an address of this host they come in over lo, whatever source they name.
class RawSender {
 public:
  explicit RawSender(uint8_t family);  // throws HostError NET
  // 0 or an errno.
  int send(std::span<const uint8_t> ip_packet, const Address& destination) const;
  int send(const TcpPacket& packet) const { return send(build_tcp(packet), packet.destination.address); }
  // SO_MARK of what is sent from here on.
  void mark(uint32_t value) const;

 private:
  UniqueFd fd_;
};

// TCP packets for an address, as they arrive on an interface, before the kernel decides whose they are; or those from an address, as
// they leave, after the kernel's rules.
class Tap {
 public:
  Tap(Direction direction, const Address& address, int interface_index);  // throws HostError NET
  // All that is there, without waiting. The packet's checksum is right, or as wrong as on the wire.
  void read(const std::function<void(std::span<uint8_t> ip_packet)>& on_packet);
  void wait(uint64_t timeout_ns) const;
  // When the packet that was read last passed. CLOCK_MONOTONIC.
  uint64_t passed_ns() const;

 private:
  UniqueFd fd_;
  std::vector<uint8_t> buffer_;
};

}  // namespace understudy::host
