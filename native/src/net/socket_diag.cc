// See socket_diag.h.
#include "net/socket_diag.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include <vector>

#include "common.h"
#include "net/rules.h"

namespace understudy::host {
namespace {

struct Request {
  nlmsghdr header;
  inet_diag_req_v2 request;
};

[[noreturn]] void fail(const std::string& what, int error) {
  throw HostError("NET", error, "", what + ": " + errno_text(error));
}

UniqueFd open_diag() {
  UniqueFd diag(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!diag) fail("cannot ask for the kernel's connections", errno);
  return diag;
}

Request request_of(uint16_t type, uint16_t flags, uint8_t family) {
  Request r{};
  r.header.nlmsg_len = sizeof r;
  r.header.nlmsg_type = type;
  r.header.nlmsg_flags = flags;
  r.request.sdiag_family = family;
  r.request.sdiag_protocol = IPPROTO_TCP;
  return r;
}

Endpoint endpoint_of(uint8_t family, const uint32_t* address, uint16_t port) {
  sockaddr_storage storage{};
  if (family == AF_INET) {
    auto& in = reinterpret_cast<sockaddr_in&>(storage);
    in.sin_family = AF_INET;
    memcpy(&in.sin_addr, address, 4);
    in.sin_port = port;
    return Endpoint::from(&storage, sizeof in).value_or(Endpoint{});
  }
  auto& in6 = reinterpret_cast<sockaddr_in6&>(storage);
  in6.sin6_family = AF_INET6;
  memcpy(&in6.sin6_addr, address, 16);
  in6.sin6_port = port;
  return Endpoint::from(&storage, sizeof in6).value_or(Endpoint{});
}

// 0 or an errno.
int destroy(int diag, const inet_diag_msg& found) {
  Request r = request_of(SOCK_DESTROY, NLM_F_REQUEST | NLM_F_ACK, found.idiag_family);
  r.request.id = found.id;
  if (send(diag, &r, sizeof r, 0) < 0) return errno;
  alignas(nlmsghdr) char answer[1024];
  for (;;) {
    const ssize_t n = recv(diag, answer, sizeof answer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < ssize_t(NLMSG_LENGTH(sizeof(int)))) return n < 0 ? errno : EIO;
    const auto* header = reinterpret_cast<const nlmsghdr*>(answer);
    if (header->nlmsg_type == NLMSG_ERROR) return -static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error;
  }
}

// Ending a connection sends a reset.
class Silence {
 public:
  Silence(const std::string& service, const Address& vip) : service_(service) { install_silence(service, vip); }
  ~Silence() {
    try {
      remove_silence(service_);
    } catch (const HostError&) {}  // it is replaced by the next one, and removed with what else a service leaves
  }

 private:
  const std::string& service_;
};

}  // namespace

Endpoint local_of(const inet_diag_msg& s) { return endpoint_of(s.idiag_family, s.id.idiag_src, s.id.idiag_sport); }
Endpoint remote_of(const inet_diag_msg& s) { return endpoint_of(s.idiag_family, s.id.idiag_dst, s.id.idiag_dport); }

void list_tcp_sockets(uint8_t family, uint32_t states, const std::function<void(const inet_diag_msg&)>& each) {
  const UniqueFd diag = open_diag();
  Request r = request_of(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, family);
  r.request.idiag_states = states;
  if (send(diag.get(), &r, sizeof r, 0) < 0) fail("cannot ask for the kernel's connections", errno);
  std::vector<uint8_t> buffer(64 * 1024);
  for (;;) {
    const ssize_t n = recv(diag.get(), buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail("cannot read the kernel's connections", n < 0 ? errno : EIO);
    auto left = uint32_t(n);
    for (const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data()); NLMSG_OK(header, left);
         header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE) return;
      if (header->nlmsg_type == NLMSG_ERROR) {
        const auto* answer = static_cast<const nlmsgerr*>(NLMSG_DATA(header));
        fail("the kernel does not list its connections", -answer->error);
      }
      if (header->nlmsg_type == SOCK_DIAG_BY_FAMILY && header->nlmsg_len >= NLMSG_LENGTH(sizeof(inet_diag_msg)))
        each(*static_cast<const inet_diag_msg*>(NLMSG_DATA(header)));
    }
  }
}

uint32_t end_stale_connections(const std::string& service, const Address& vip) {
  constexpr uint32_t kAll = 0xfff & ~(1u << TCP_LISTEN) & ~(1u << TCP_CLOSE) & ~1u;
  std::vector<inet_diag_msg> stale;
  const auto look = [&](uint8_t family) {
    list_tcp_sockets(family, kAll, [&](const inet_diag_msg& found) {
      if (local_of(found).address == vip) stale.push_back(found);
    });
  };
  look(vip.family);
  // Of an IPv4 address an IPv6 socket may have connections, too.
  if (vip.family == AF_INET) look(AF_INET6);
  if (stale.empty()) return 0;
  const Silence silence(service, vip);
  const UniqueFd diag = open_diag();
  for (const inet_diag_msg& found : stale)
    if (const int error = destroy(diag.get(), found); error != 0 && error != ENOENT)
      fail("cannot end the connection of " + local_of(found).text() + " with " + remote_of(found).text() +
               ", which a primary has left here",
           error);
  return uint32_t(stale.size());
}

}  // namespace understudy::host
