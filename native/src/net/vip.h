// The service's address: on this host or not, and told to the neighbours.
//
// Invariants:
//  - Everything that a takeover needs is open from the constructor on; add(), remove() and announce() open nothing.
//  - An IPv6 address is added without duplicate address detection, which would take a second.
//
// Must not: be added on the backup before its connections are repaired; the kernel would reset them (FINDINGS: takeover order).
#pragma once
#include "common.h"
#include "net/packet.h"

struct nlmsghdr;

namespace understudy::host {

class Vip {
 public:
  // Throws HostError NET: no such interface, or no privilege.
  Vip(const Address& address, uint8_t prefix, const std::string& interface);

  // Each throws HostError NET. Adding what is there, and removing what is not, succeeds.
  void add();
  void remove();
  bool present() const;
  // Tells everyone on the link that the address is here: gratuitous ARP, as request and as reply (there are systems that heed
  // only the one or the other); for IPv6 an unsolicited neighbour advertisement with the override flag.
  void announce() const;

  const Address& address() const { return address_; }
  int interface_index() const { return index_; }

 private:
  int talk(nlmsghdr* message);
  int change_address(uint16_t type, uint16_t flags);
  int change_route(uint16_t type, uint16_t flags);
  void send_arp(uint16_t operation) const;
  void send_advertisement() const;

  Address address_;
  uint8_t prefix_;
  std::string interface_;
  int index_ = 0;
  uint8_t mac_[6] = {};
  bool has_mac_ = false;
  UniqueFd route_, link_;
  uint32_t sequence_ = 1;
};

}  // namespace understudy::host
