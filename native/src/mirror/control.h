// The control connection: framed messages over plain TCP, each with a deadline. It carries the handshake, and afterwards only
// the reason for an end; its own end is a sign that the peer's process is gone.
//
// Invariants:
//  - Input is hostile until authenticated: sizes are bounded, waits are bounded, texts are made printable.
//  - After secure(), every message bears a MAC over a counter, so that none can be forged, replayed or left out unnoticed.
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <string_view>

#include "../common.h"
#include "crypto.h"
#include "wire.h"

namespace understudy::host {

// The peer said no, or what it said made no sense. `reason` tells which.
struct MirrorRefusal : std::runtime_error {
  MirrorRefusal(wire::Reason reason_, const std::string& text) : std::runtime_error(text), reason(reason_) {}
  wire::Reason reason;
};

class Control {
 public:
  // `cancel_fd`: when it becomes readable, every wait ends with an error; -1: none.
  Control(UniqueFd fd, std::string peer, int cancel_fd = -1);
  // Throws MirrorRefusal (kTransport) with what the system says.
  static std::unique_ptr<Control> connect(const std::string& address, uint16_t port, uint64_t until_ns,
                                          int cancel_fd = -1);

  int fd() const { return fd_.get(); }
  const std::string& peer() const { return peer_; }
  void secure(const Key32& send_key, const Key32& receive_key);

  // Throw MirrorRefusal. receive() throws what a kRefuse or kBye says, whatever was expected.
  void send(wire::MessageType type, const void* body, size_t bytes, uint64_t until_ns);
  void receive(wire::MessageType type, void* body, size_t bytes, uint64_t until_ns);
  template <class T>
  void send(wire::MessageType type, const T& body, uint64_t until_ns) {
    send(type, &body, sizeof body, until_ns);
  }
  template <class T>
  T receive(wire::MessageType type, uint64_t until_ns) {
    T body;
    receive(type, &body, sizeof body, until_ns);
    return body;
  }
  // Best effort, without waiting: the connection may be gone already.
  void say(wire::MessageType type, wire::Reason reason, std::string_view text) noexcept;
  // Ends it for both directions; a thread that waits in receive() gets an error.
  void shut() const noexcept { shutdown(fd_.get(), SHUT_RDWR); }

 private:
  void read_exactly(void* to, size_t bytes, uint64_t until_ns);
  void write_exactly(const void* from, size_t bytes, uint64_t until_ns);
  Key32 mac(const Key32& key, uint64_t counter, const void* message, size_t bytes) const;
  bool wait(short events, uint64_t until_ns) const;
  UniqueFd fd_;
  std::string peer_;
  int cancel_fd_;
  bool secured_ = false;
  Key32 send_key_{}, receive_key_{};
  uint64_t sent_ = 0, received_ = 0;
};

// An address and port as sockaddr. Throws HostError when it is not an IP address.
sockaddr_storage parse_address(const std::string& address, uint16_t port, socklen_t* bytes);
std::string format_address(const sockaddr_storage& address);
std::string printable(std::string_view text);

}  // namespace understudy::host
