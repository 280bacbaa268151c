// See resets.h.
#include "resets.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <map>

namespace understudy::host::checkpoint {
namespace {

constexpr uint32_t kSynSent = 2, kClosed = 7, kListening = 10;  // TCP_SYN_SENT, TCP_CLOSE, TCP_LISTEN
constexpr int kLoopbackMs = 1000;

uint16_t port_of(const std::string& address) {
  return address.size() < 4 ? 0 : uint16_t(uint8_t(address[2]) << 8 | uint8_t(address[3]));
}

// Connections are made to it, and reset.
class Resetter {
 public:
  // "": it is done.
  std::string reset(int socket, uint32_t family) {
    int error = 0;
    for (const bool mapped : {false, true}) {
      if (mapped && family != AF_INET6) break;
      Target* target = target_of(family, mapped);
      if (target == nullptr) continue;
      error = try_reset(socket, *target);
      if (error == 0) return "";
    }
    return error == 0 ? "there is no loopback interface" : errno_text(error);
  }

 private:
  struct Target {
    UniqueFd listener;
    sockaddr_storage address{};
    socklen_t length = 0;
  };

  // A socket for IPv6 alone cannot reach 127.0.0.1, and where IPv6 is off there is no ::1.
  Target* target_of(uint32_t family, bool mapped) {
    const bool six = family == AF_INET6 && !mapped;
    Target& target = targets_[six];
    if (!target.listener) {
      target.listener = UniqueFd(socket(six ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      sockaddr_in v4{};
      sockaddr_in6 v6{};
      v4.sin_family = AF_INET;
      v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      v6.sin6_family = AF_INET6;
      v6.sin6_addr = in6addr_loopback;
      const auto* address = six ? reinterpret_cast<sockaddr*>(&v6) : reinterpret_cast<sockaddr*>(&v4);
      target.length = sizeof target.address;
      if (!target.listener || bind(target.listener.get(), address, six ? sizeof v6 : sizeof v4) != 0 ||
          listen(target.listener.get(), 1) != 0 ||
          getsockname(target.listener.get(), reinterpret_cast<sockaddr*>(&target.address), &target.length) != 0) {
        target.listener.reset();
        return nullptr;
      }
    }
    if (!mapped) return &target;
    mapped_.listener = UniqueFd(fcntl(target.listener.get(), F_DUPFD_CLOEXEC, 0));
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(target.address);
    auto& v6 = reinterpret_cast<sockaddr_in6&>(mapped_.address);
    v6 = {};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = v4.sin_port;
    v6.sin6_addr.s6_addr[10] = v6.sin6_addr.s6_addr[11] = 0xff;
    memcpy(&v6.sin6_addr.s6_addr[12], &v4.sin_addr, 4);
    mapped_.length = sizeof v6;
    return mapped_.listener ? &mapped_ : nullptr;
  }

  static int try_reset(int socket, const Target& target) {
    const int flags = fcntl(socket, F_GETFL);
    // The guest does not run: nobody sees the flag.
    if (flags < 0 || fcntl(socket, F_SETFL, flags | O_NONBLOCK) != 0) return errno;
    int error = 0;
    if (connect(socket, reinterpret_cast<const sockaddr*>(&target.address), target.length) != 0 && errno != EINPROGRESS)
      error = errno;
    if (error == 0) {
      pollfd made{target.listener.get(), POLLIN, 0};
      const UniqueFd other(
          poll(&made, 1, kLoopbackMs) == 1 ? accept4(target.listener.get(), nullptr, nullptr, SOCK_CLOEXEC) : -1);
      const linger at_once{1, 0};
      if (!other || setsockopt(other.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once) != 0) error = ETIMEDOUT;
    }
    // With `other` the connection was closed, without a word: that is a reset.
    pollfd reset{socket, 0, 0};
    if (error == 0 && (poll(&reset, 1, kLoopbackMs) != 1 || (reset.revents & POLLERR) == 0)) error = ETIMEDOUT;
    if (fcntl(socket, F_SETFL, flags) != 0) error = errno;
    return error;
  }

  std::map<bool, Target> targets_;
  Target mapped_;
};

}  // namespace

std::string text_of_address(const std::string& address) {
  char text[INET6_ADDRSTRLEN] = "";
  sockaddr_storage storage{};
  memcpy(&storage, address.data(), std::min(address.size(), sizeof storage));
  const std::string port = std::to_string(port_of(address));
  if (storage.ss_family == AF_INET6) {
    inet_ntop(AF_INET6, &reinterpret_cast<sockaddr_in6&>(storage).sin6_addr, text, sizeof text);
    return "[" + std::string(text) + "]:" + port;
  }
  inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in&>(storage).sin_addr, text, sizeof text);
  return std::string(text) + ":" + port;
}

int try_port(const InetSocket& s) {
  const bool datagram = s.type != SOCK_STREAM;
  if (port_of(s.local) == 0 || (!datagram && s.state != kListening && s.state != kClosed)) return 0;
  const UniqueFd probe(socket(int(s.family), int(s.type) | SOCK_CLOEXEC, int(s.protocol)));
  if (!probe) return errno;
  // As the program had it, as far as that decides who may have the address.
  for (const SocketOption& option : s.options)
    setsockopt(probe.get(), option.level, option.name, option.value.data(), socklen_t(option.value.size()));
  if (bind(probe.get(), reinterpret_cast<const sockaddr*>(s.local.data()), socklen_t(s.local.size())) != 0)
    return errno;
  if (!datagram && s.state == kListening && listen(probe.get(), 1) != 0) return errno;
  return 0;
}

RestoredSockets restore_sockets(const KernelObjects& objects,
                                const std::function<UniqueFd(int64_t pid, int32_t fd)>& take) {
  RestoredSockets out;
  Resetter resetter;
  std::vector<bool> done(objects.files.size());
  for (const Descriptor& d : objects.descriptors) {
    const OpenFile& file = objects.files[d.file];
    if (file.kind != OpenFile::kInet || done[d.file]) continue;
    done[d.file] = true;
    const InetSocket& s = objects.inet_sockets[size_t(file.object)];
    if (s.type != SOCK_STREAM || s.state == kClosed) continue;
    // A call that waits for the connection is made again, and makes it.
    if (s.state == kSynSent && (file.flags & O_NONBLOCK) == 0) continue;
    const std::string whose = "descriptor " + std::to_string(d.fd) + " of process " + std::to_string(d.pid);
    const UniqueFd socket = take(d.pid, d.fd);
    if (!socket)
      throw HostError("CHECKPOINT_UNSUPPORTED", errno, "",
                      "cannot reach the socket that is " + whose + ": " + errno_text(errno));
    if (s.state == kListening) {
      if (listen(socket.get(), int(s.backlog)) != 0)
        throw HostError("CHECKPOINT_UNSUPPORTED", errno, "",
                        "the program cannot listen at " + text_of_address(s.local) + " again (" + whose +
                            "): " + errno_text(errno));
      out.listening++;
      continue;
    }
    const std::string why = resetter.reset(socket.get(), s.family);
    if (why.empty()) out.reset++;
    else
      out.lost.push_back(std::string("the connection of ")
                             .append(whose)
                             .append(" is gone, and is found closed, not reset: ")
                             .append(why));
  }
  return out;
}

}  // namespace understudy::host::checkpoint
