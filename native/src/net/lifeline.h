// What makes output from the VIP possible only while this process lives: the moment it is killed, the kernel stops it, before the lease
// would end and before the backup can have taken over.
//
// How: an nftables table that belongs to a socket (flag "owner", Linux 5.12) marks the VIP's packets, and the fence drops those that have no
// mark. The socket is in the descriptor table of one thread, which is its own: the kernel ends the threads of a killed process each
// for itself and at once, but keeps what they share until it has taken the process's memory apart, tens of milliseconds later.
// With the socket the table goes.
//
// Invariants:
//  - The mark is gone again behind the fence: nobody else sees it.
//  - Without the table nothing leaves, and what would pass by the gate's queue (kFlowMark) waits there like the rest: it lets through, and
//    forbids nothing.
//
// Must not: take part in decisions. Dropping a lease is the way to stop output on purpose.
#pragma once
#include <string>

#include "common.h"
#include "net/packet.h"

namespace understudy::host {

class Lifeline {
 public:
  // Throws HostError NET. The fence (install_fence) must be there before: without it the marks would stay on packets.
  Lifeline(const std::string& table, const Address& vip);
  ~Lifeline();
  Lifeline(const Lifeline&) = delete;
  Lifeline& operator=(const Lifeline&) = delete;

 private:
  void run(const std::string& table, const Address& vip);
  void say(int error, const std::string& what);

  // The thread's answer: 0 while it is not known, then 1 (it stands) or 2 (it failed).
  uint32_t state_ = 0, stopping_ = 0;  // futex words
  int error_ = 0;
  std::string failed_;
  std::thread thread_;
};

}  // namespace understudy::host
