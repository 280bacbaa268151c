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
#include "net/packet.h"
#include "understudy/abi.h"

namespace understudy::host {

// Payload of kNetAccept and kNetConnect: {u32 length; sockaddr, padded to 32 bytes} twice: remote, then local (length 0: not told).
inline constexpr size_t kNetAddressBytes = 36;
// One of the addresses in the payload of kNetAccept and kNetConnect: 0 the remote end's, 1 ours. nullopt: not told.
std::optional<Endpoint> address_in(const abi::NetMessage& message, const uint8_t* payload, size_t index);

// Takes messages out of the ring, on the thread of the caller, who sees to it that there is one at a time.
class NetRingCursor {
 public:
  using Report = std::function<void(abi::MessageLevel, const std::string&)>;
  NetRingCursor(uint8_t* net_area, Report report);
  // Until `message` returns false: that one stays. True: something was taken.
  bool take(const std::function<bool(const abi::NetMessage&, const uint8_t* payload)>& message);
  abi::NetRing& ring() { return ring_; }
  bool broken() const { return load_acquire(broken_) != 0; }

 private:
  abi::NetRing& ring_;
  const uint8_t* bytes_;
  Report report_;
  uint32_t broken_ = 0;
};

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

  Hooks hooks_;
  NetRingCursor cursor_;
  abi::NetRing& ring_;
  uint32_t stopping_ = 0;
  uint32_t drained_ = 0;  // futex word, bumped after each emptying
  std::thread thread_;
};

}  // namespace understudy::host
