// Reads what the replica's agent tells of its sockets (abi.h: NetRing) and hands it to the connection table.
//
// Invariants:
//  - A message's room is given back after it was handed on.
//  - A message that is not one (a size that does not fit) stops the reading and is reported; nothing behind it could be trusted.
//
// Must not: touch the table from any other thread than its own.
#pragma once
#include <functional>

#include "common.h"
#include "understudy/abi.h"

namespace understudy::host {

class NetRingReader {
 public:
  struct Hooks {
    std::function<void(const abi::NetMessage&, const uint8_t* payload)> message;
    std::function<void(abi::MessageLevel, const std::string&)> report;
  };
  // net_area: kNetSize bytes at kFileNet of the memory file.
  NetRingReader(uint8_t* net_area, Hooks hooks);
  ~NetRingReader();

  // Returns when everything that was in the ring at the call has been handed on.
  void drain();
  void stop();

 private:
  void run();
  bool take();
  void sleep();

  abi::NetRing& ring_;
  const uint8_t* bytes_;
  Hooks hooks_;
  uint32_t stopping_ = 0, broken_ = 0;
  uint32_t drained_ = 0;  // futex word, bumped after each emptying
  std::thread thread_;
};

}  // namespace understudy::host
