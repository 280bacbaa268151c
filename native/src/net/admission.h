// Lets connections into the backlog of the guest's listener whose handshake was the old primary's: a client takes them for established,
// the guest has not accepted them yet, so there is no socket of its own that could be repaired.
//
// How: a packet of the client's makes the kernel's code for SYN cookies build the connection; a BPF program at lo's ingress vouches for
// the sequence numbers in it (kfunc bpf_sk_assign_tcp_reqsk, Linux 6.9). What comes out is an ordinary connection that waits for
// accept(), with the numbers that the client knows. Nobody else sees anything: listener, its epoll sets and its order are the kernel's.
//
// Invariants:
//  - The program touches only packets of connections that were announced with expect(); their number is bounded.
//  - Packets of expected connections that come from the network are dropped until release(): the kernel would answer them with a
//    reset, because the connection is not there yet. Their senders repeat them.
//
// Must not: be needed. On kernels that lack the kfunc such connections are reset, as those of a crashed host are.
#pragma once
#include <string>

#include "net/connection.h"
#include "net/nft_set.h"
#include "net/raw_ip.h"

namespace understudy::host {

class Admission {
 public:
  // Loads and attaches the program, some milliseconds. Throws HostError NET, which says what the kernel lacks. `hold_table`: nftables table
  // (inet) with the sets made by standby rules.
  Admission(uint8_t family, std::string hold_table);

  // Before the address is on this host.
  std::string expect(const Connection& connection, uint32_t tsval);
  // Afterwards: the client's last word of the handshake, its unread bytes, and its FIN, if it has sent one.
  std::string admit(const Connection& connection, uint32_t tsval, const RawSender& sender);
  void release(const Connection& connection);

 private:
  std::string hold_table_;
  NftSets sets_;
  UniqueFd map_, program_, link_;
};

}  // namespace understudy::host
