// The kernel's packet filter rules of a service: which packets pass the gate's queues, and the fence that lets nothing out of a
// host whose lease has ended.
//
// Invariants:
//  - Everything is in chains and tables of the service's own name, and each rule outside of them carries its comment: removal
//    after a crash needs no memory of what was installed.
//  - With nobody at the queue packets are dropped, not let through. (Where they are sent on to the backup, the queue's rule is passed by;
//    then a table behind it drops what does not have the mark of the gate's verdict.)
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
  // Where to send the clients' packets when this host is not the primary any more, or its daemon is dead: an address of the backup on the
  // same link. Its kernel gets to see them before the clients have learnt where the VIP is, and they need not be sent again (by a client
  // that waits for its retransmission timer, 200 ms and more). None: such packets are dropped.
  Address forward_to;
  // Packets of accepted connections do not wait (flows.h).
  bool flows = false;
  // How long output from the VIP goes on after the lease was last extended; 0: no fence.
  uint32_t lease_ms = 0;
};

// Names that belong to a service in the kernel's tables.
std::string chain_in(const std::string& service);
std::string chain_out(const std::string& service);
std::string chain_forward(const std::string& service);
std::string fence_table(const std::string& service);
std::string forward_table(const std::string& service);
std::string lifeline_table(const std::string& service);

// A packet with this mark is sent on to the backup.
inline constexpr uint32_t kForwardMark = 0x05d20001;
// One with this mark was accepted by the gate.
inline constexpr uint32_t kAcceptedMark = 0x05d20002;
// One with this mark belongs to a connection whose packets need not wait (flows.h); while the lifeline stands it is as good as accepted.
inline constexpr uint32_t kFlowMark = 0x05d20003;

// Packets from the VIP have this bit between the lifeline and the fence, and nowhere else.
inline constexpr uint32_t kAliveMark = 0x20000000;
inline constexpr int kFencePriority = 300, kArpFencePriority = 0;
// Before the gate's queue (-150).
inline constexpr int kFlowPriority = -155;

// Each throws HostError NET. Installing what is there already replaces it.
void install_queue_rules(const GateConfig& config);
// `alive`: only what a lifeline marks gets through. The fence is open at first, for a second more than a lease.
void install_fence(const GateConfig& config, bool alive);
// On the backup: packets for a VIP that is not here (yet) are not forwarded to anywhere, and while it is being taken over none but those of
// lo come in: the VIP is an element of the set `closed` of this table, and is taken out of it when everything is in its place.
std::string standby_table(const std::string& service);
void install_standby_rules(const std::string& service, const Address& vip);

// Nothing of TCP leaves from this address.
void install_silence(const std::string& service, const Address& vip);
void remove_silence(const std::string& service);

void remove_queue_rules(const std::string& service);
void remove_fence(const std::string& service);
void remove_standby_rules(const std::string& service);

}  // namespace understudy::host
