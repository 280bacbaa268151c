// The kernel's packet filter rules of a service: which packets pass the gate's queues, and the fence that lets nothing out of a
// host whose lease has ended.
//
// Invariants:
//  - Everything is in chains and tables of the service's own name, and each rule outside of them carries its comment: removal
//    after a crash needs no memory of what was installed.
//  - Rules never contain "bypass": with nobody at the queue packets are dropped, not let through.
//  - The queue's rules are in the mangle table. A verdict skips the rest of its own table only, so a firewall's rules (filter) still
//    decide about each packet.
//
// Must not: be called on the data path. Each call runs programs.
#pragma once
#include "net/packet.h"

namespace understudy::host {

struct GateConfig {
  std::string service;
  Address vip;
  uint8_t prefix = 32;
  std::string interface;
  std::vector<uint16_t> tcp_ports;
  // For the fence only: nothing acknowledges a datagram on the guest's behalf, so its journal is gate enough.
  std::vector<uint16_t> udp_ports;
  bool outward = false;  // the guest opens connections from the VIP: everything TCP to and from the VIP is gated
  // Numbers of packet queues, each used by one service only (per network namespace).
  uint16_t queue_in = 0, queue_out = 0;
  // How long output from the VIP goes on after the lease was last extended; 0: no fence.
  uint32_t lease_ms = 0;
};

// Names that belong to a service in the kernel's tables.
std::string chain_in(const std::string& service);
std::string chain_out(const std::string& service);
std::string fence_table(const std::string& service);
std::string standby_table(const std::string& service);

// Each throws HostError NET. Installing what is there already replaces it.
void install_queue_rules(const GateConfig& config);
void install_fence(const GateConfig& config);
// On the backup: packets for a VIP that is not here (yet) are not forwarded to anywhere, and those of senders in the set "held"
// (address . port) do not reach it.
void install_standby_rules(const std::string& service, const Address& vip);

void remove_queue_rules(const std::string& service);
void remove_fence(const std::string& service);
void remove_standby_rules(const std::string& service);

}  // namespace understudy::host
