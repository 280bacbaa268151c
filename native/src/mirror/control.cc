// See control.h.
#include "control.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>

#include <algorithm>

namespace understudy::host {
namespace {
using wire::Reason;

int remaining_ms(uint64_t until_ns) {
  const uint64_t now = monotonic_ns();
  return now >= until_ns ? 0 : int((until_ns - now + 999'999) / 1'000'000);
}

// False: not in time, or cancelled.
bool wait_for(int fd, short events, int cancel_fd, uint64_t until_ns) {
  pollfd ready[2] = {{fd, events, 0}, {cancel_fd, POLLIN, 0}};
  const int left = remaining_ms(until_ns);
  return left > 0 && poll(ready, 2, left) > 0 && ready[1].revents == 0;
}

void prepare(int fd) {
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}
}  // namespace

sockaddr_storage parse_address(const std::string& address, uint16_t port, socklen_t* bytes) {
  sockaddr_storage out{};
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out);
  if (inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    *bytes = sizeof *v4;
  } else if (inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    *bytes = sizeof *v6;
  } else {
    throw HostError("MIRROR", EINVAL, "",
                    "'" + printable(address) + "' is no IP address: the mirror needs one, not a name");
  }
  return out;
}

std::string format_address(const sockaddr_storage& address) {
  char text[INET6_ADDRSTRLEN] = "?";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    inet_ntop(AF_INET, &v4.sin_addr, text, sizeof text);
    return std::string(text) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  return text;
}

std::string printable(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

Control::Control(UniqueFd fd, std::string peer, int cancel_fd)
    : fd_(std::move(fd)), peer_(std::move(peer)), cancel_fd_(cancel_fd) {
  prepare(fd_.get());
}

bool Control::wait(short events, uint64_t until_ns) const { return wait_for(fd_.get(), events, cancel_fd_, until_ns); }

std::unique_ptr<Control> Control::connect(const std::string& address, uint16_t port, uint64_t until_ns, int cancel_fd) {
  socklen_t bytes = 0;
  const sockaddr_storage to = parse_address(address, port, &bytes);
  const std::string peer = format_address(to);
  UniqueFd fd(socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  int error = 0;
  if (!fd || (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to), bytes) != 0 && errno != EINPROGRESS)) {
    error = errno;
  } else {
    socklen_t size = sizeof error;
    if (!wait_for(fd.get(), POLLOUT, cancel_fd, until_ns)) error = ETIMEDOUT;
    else getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  }
  if (error != 0)
    throw MirrorRefusal(Reason::kTransport,
                        "the backup's mirror at " + peer + " cannot be reached: " + errno_text(error));
  return std::make_unique<Control>(std::move(fd), peer, cancel_fd);
}

void Control::secure(const Key32& send_key, const Key32& receive_key) {
  send_key_ = send_key;
  receive_key_ = receive_key;
  secured_ = true;
}

Key32 Control::mac(const Key32& key, uint64_t counter, const void* message, size_t bytes) const {
  uint8_t input[8 + sizeof(wire::MessageHeader) + wire::kMaxBody];
  memcpy(input, &counter, 8);
  memcpy(input + 8, message, bytes);
  return hmac_sha256(key.data(), key.size(), input, 8 + bytes);
}

void Control::read_exactly(void* to, size_t bytes, uint64_t until_ns) {
  auto* p = static_cast<uint8_t*>(to);
  while (bytes > 0) {
    const ssize_t n = recv(fd_.get(), p, bytes, 0);
    if (n > 0) {
      p += n;
      bytes -= size_t(n);
      continue;
    }
    if (n == 0) throw MirrorRefusal(Reason::kClosed, "the peer at " + peer_ + " closed the connection");
    if (errno == EINTR) continue;
    if (errno != EAGAIN)
      throw MirrorRefusal(Reason::kTransport, "the connection with " + peer_ + " broke: " + errno_text(errno));
    if (!wait(POLLIN, until_ns))
      throw MirrorRefusal(Reason::kTransport, "the peer at " + peer_ + " did not answer in time");
  }
}

void Control::write_exactly(const void* from, size_t bytes, uint64_t until_ns) {
  const auto* p = static_cast<const uint8_t*>(from);
  while (bytes > 0) {
    const ssize_t n = ::send(fd_.get(), p, bytes, MSG_NOSIGNAL);
    if (n >= 0) {
      p += n;
      bytes -= size_t(n);
      continue;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN)
      throw MirrorRefusal(Reason::kTransport, "the connection with " + peer_ + " broke: " + errno_text(errno));
    if (!wait(POLLOUT, until_ns)) throw MirrorRefusal(Reason::kTransport, "the peer at " + peer_ + " takes no data");
  }
}

void Control::send(wire::MessageType type, const void* body, size_t bytes, uint64_t until_ns) {
  uint8_t message[sizeof(wire::MessageHeader) + wire::kMaxBody + sizeof(Key32)];
  const size_t total = bytes + (secured_ ? sizeof(Key32) : 0);
  const wire::MessageHeader header{wire::kMagic, uint16_t(type), uint16_t(total)};
  memcpy(message, &header, sizeof header);
  memcpy(message + sizeof header, body, bytes);
  if (secured_) {
    const Key32 proof = mac(send_key_, sent_++, message, sizeof header + bytes);
    memcpy(message + sizeof header + bytes, proof.data(), proof.size());
  }
  write_exactly(message, sizeof header + total, until_ns);
}

void Control::receive(wire::MessageType type, void* body, size_t bytes, uint64_t until_ns) {
  uint8_t message[sizeof(wire::MessageHeader) + wire::kMaxBody + sizeof(Key32)];
  wire::MessageHeader header;
  read_exactly(&header, sizeof header, until_ns);
  if (header.magic != wire::kMagic || header.bytes > wire::kMaxBody)
    throw MirrorRefusal(Reason::kMalformed, peer_ + " does not speak the mirror's protocol");
  memcpy(message, &header, sizeof header);
  read_exactly(message + sizeof header, header.bytes, until_ns);
  size_t got = header.bytes;
  const bool refusal = header.type == wire::kRefuse;
  if (secured_ && !refusal) {
    Key32 proof;
    if (got < proof.size()) throw MirrorRefusal(Reason::kMalformed, peer_ + " sent a message without authentication");
    got -= proof.size();
    memcpy(proof.data(), message + sizeof header + got, proof.size());
    if (!equal_constant_time(proof, mac(receive_key_, received_++, message, sizeof header + got)))
      throw MirrorRefusal(Reason::kKey, peer_ + " sent a message whose authentication is wrong");
  }
  if (refusal || header.type == wire::kBye) {
    wire::Text text{};
    memcpy(&text, message + sizeof header, std::min(got, sizeof text));
    throw MirrorRefusal(Reason(text.reason), printable({text.text, std::min<size_t>(text.bytes, sizeof text.text)}));
  }
  if (header.type != type || got != bytes)
    throw MirrorRefusal(Reason::kMalformed, peer_ + " sent message " + std::to_string(header.type) + " of " +
                                                std::to_string(got) + " bytes where another was due");
  memcpy(body, message + sizeof header, bytes);
}

void Control::say(wire::MessageType type, Reason reason, std::string_view text) noexcept {
  wire::Text body{};
  body.reason = uint16_t(reason);
  body.bytes = uint16_t(std::min(text.size(), sizeof body.text));
  memcpy(body.text, text.data(), body.bytes);
  const bool secured = secured_;
  // A refusal must be readable by a peer whose key is another.
  if (type == wire::kRefuse) secured_ = false;
  try {
    send(type, body, 0);
  } catch (const std::exception&) {
    // The peer is told as a courtesy; that it could not be reached changes nothing for this end.
  }
  secured_ = secured;
}

}  // namespace understudy::host
