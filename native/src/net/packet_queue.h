// One packet queue of the kernel (NFQUEUE): packets wait in it until a verdict.
//
// Invariants:
//  - Fail closed: when this end is gone, or full, packets are dropped.
//  - Packets come in the order in which they were queued, each with a number that only grows.
//
// Must not: be read by two threads. Verdicts may be given by any thread.
#pragma once
#include <functional>
#include <span>
#include <vector>

#include "common.h"

namespace understudy::host {

class PacketQueue {
 public:
  // Throws HostError NET: no privilege, or the number is taken.
  PacketQueue(uint16_t number, uint8_t family);

  int fd() const { return fd_.get(); }
  uint16_t number() const { return number_; }
  // Reads what is there, without waiting. `unverified`: the kernel has not checked the packet's checksum, and will.
  using OnPacket = std::function<void(uint32_t id, std::span<const uint8_t> packet, bool unverified)>;
  // False when there was nothing.
  bool read(const OnPacket& on_packet);

  void accept_until(uint32_t id, uint32_t mark);  // this one and all that came before it; mark 0: theirs stays
  void drop(uint32_t id);
  // This one and all that came before it: back to the beginning of the table's rules, with this mark.
  void repeat_until(uint32_t id, uint32_t mark);
  // For a process that has only the socket. Makes system calls and nothing else. verdict: NF_DROP, NF_REPEAT …
  static void send_batch_verdict(int fd, uint16_t number, uint32_t id, uint32_t verdict, uint32_t mark);

 private:
  void configure(uint8_t family);
  static void send_verdict(int fd, uint16_t number, uint16_t type, uint32_t id, uint32_t verdict, uint32_t mark);

  uint16_t number_;
  UniqueFd fd_;
  std::vector<uint8_t> buffer_;
};

}  // namespace understudy::host
