// See net_pair.h: the server, and its replica until and after it goes live.
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>

#include "common.h"
#include "net/connection_table.h"
#include "net_pair.h"
#include "understudy/abi.h"

using namespace understudy;
using namespace understudy::host;

namespace pair_test {
namespace {

struct Peer {
  int fd = -1;
  Protocol protocol;
  Bytes in, out;
  uint32_t events = EPOLLIN;
  bool edge = false, eof = false, shut = false;
};

class Server {
 public:
  Server() : epoll_(epoll_create1(0)) {}

  int accept_max = 1 << 30;

  int listen_socket(const Options& options, bool now) {
    const int family = options.v6 ? AF_INET6 : AF_INET, one = 1;
    listener_ = socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (now) {
      sockaddr_storage address;
      Endpoint any = bound(options);
      if (bind(listener_, reinterpret_cast<sockaddr*>(&address), any.to(&address, family)) != 0 ||
          listen(listener_, 4096) != 0)
        die("server: bind, listen");
    }
    add(listener_, EPOLLIN, nullptr);
    return listener_;
  }
  static Endpoint bound(const Options& options) {
    Endpoint any{Address::parse(options.vip), kPort};
    any.address.bytes = {};
    return any;
  }

  void add(int fd, uint32_t events, Peer* peer) {
    epoll_event event{events, {.ptr = peer}};
    if (epoll_ctl(epoll_, EPOLL_CTL_ADD, fd, &event) != 0) die("server: epoll_ctl");
  }
  Peer* new_peer(int fd) {
    auto* peer = new Peer;
    peer->fd = fd;
    peer->edge = ++count_ % 2 == 0;
    add(fd, EPOLLIN | (peer->edge ? uint32_t(EPOLLET) : 0), peer);
    return peer;
  }
  void forget_events() {
    // All at once: level-triggered ones would come again.
    std::vector<epoll_event> events(65536);
    epoll_wait(epoll_, events.data(), int(events.size()), 0);
  }

  [[noreturn]] void serve() {
    for (;;) {
      epoll_event events[256];
      const int n = epoll_wait(epoll_, events, 256, -1);
      for (int i = 0; i < n; i++) {
        auto* peer = static_cast<Peer*>(events[i].data.ptr);
        if (peer == nullptr) {
          int fd;
          while (count_ < accept_max && (fd = accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK)) >= 0) new_peer(fd);
          if (count_ >= accept_max) epoll_ctl(epoll_, EPOLL_CTL_DEL, listener_, nullptr);
        } else {
          handle(peer);
        }
      }
    }
  }

 private:
  void handle(Peer* peer) {
    uint8_t buffer[65536];
    while (!peer->eof) {
      const ssize_t n = recv(peer->fd, buffer, sizeof buffer, MSG_DONTWAIT);
      if (n < 0 && errno == EAGAIN) break;
      if (n < 0) return end(peer);
      if (n == 0) {
        peer->eof = true;
        break;
      }
      peer->in.insert(peer->in.end(), buffer, buffer + n);
      if (!peer->edge) break;
    }
    size_t used = 0, step;
    while ((step = peer->protocol.step(peer->in.data() + used, peer->in.size() - used, &peer->out)) != 0) used += step;
    peer->in.erase(peer->in.begin(), peer->in.begin() + ptrdiff_t(used));
    size_t sent = 0;
    while (sent < peer->out.size()) {
      const ssize_t n = send(peer->fd, peer->out.data() + sent, peer->out.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (n < 0 && errno == EAGAIN) break;
      if (n < 0) return end(peer);
      sent += size_t(n);
    }
    peer->out.erase(peer->out.begin(), peer->out.begin() + ptrdiff_t(sent));
    if (peer->eof && peer->out.empty()) return end(peer);
    const uint32_t events = EPOLLIN | (peer->out.empty() ? 0u : uint32_t(EPOLLOUT)) |
                            (peer->edge ? uint32_t(EPOLLET) : 0);
    if (events == peer->events) return;
    peer->events = events;
    epoll_event event{events, {.ptr = peer}};
    epoll_ctl(epoll_, EPOLL_CTL_MOD, peer->fd, &event);
  }
  void end(Peer* peer) {
    close(peer->fd);
    delete peer;
  }

  int epoll_, listener_ = -1, count_ = 0;
};

// The agent's end of the network ring.
class Ring {
 public:
  explicit Ring(uint8_t* area) : ring_(*reinterpret_cast<abi::NetRing*>(area)), bytes_(area + abi::kNetHeader) {}
  void put(abi::NetKind kind, uint64_t cookie, uint64_t a, const Bytes& payload = {}) {
    const uint32_t size = uint32_t((sizeof(abi::NetMessage) + payload.size() + 7) / 8 * 8);
    uint64_t at = ring_.head & (abi::kNetBytes - 1);
    if (at + size > abi::kNetBytes) {
      wait_for_room(abi::kNetBytes - at);
      const uint32_t pad[2] = {uint32_t(abi::kNetBytes - at), abi::kNetPad};
      memcpy(bytes_ + at, pad, sizeof pad);
      publish(abi::kNetBytes - at);
      at = 0;
    }
    wait_for_room(size);
    const abi::NetMessage message{size, kind, cookie, a, uint32_t(payload.size()), 0};
    memcpy(bytes_ + at, &message, sizeof message);
    if (!payload.empty()) memcpy(bytes_ + at + sizeof message, payload.data(), payload.size());
    publish(size);
  }

 private:
  void wait_for_room(uint64_t size) {
    while (ring_.head + size - load_acquire(ring_.tail) > abi::kNetBytes) usleep(50);
  }
  void publish(uint64_t size) {
    __atomic_store_n(&ring_.head, ring_.head + size, __ATOMIC_SEQ_CST);
    if (__atomic_exchange_n(&ring_.host_sleeping, 0, __ATOMIC_SEQ_CST) != 0) futex_bump(&ring_.host_wake);
  }
  abi::NetRing& ring_;
  uint8_t* bytes_;
};

uint64_t cookie_of(int fd) {
  uint64_t cookie = 0;
  socklen_t len = sizeof cookie;
  if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &len) != 0) die("replica: SO_COOKIE");
  return cookie;
}

Bytes sockaddr_bytes(const Endpoint& endpoint, int family) {
  sockaddr_storage address;
  const socklen_t len = endpoint.to(&address, family);
  const auto* p = reinterpret_cast<const uint8_t*>(&address);
  return {p, p + len};
}

}  // namespace

void run_server(const Options& options) {
  prctl(PR_SET_PDEATHSIG, options.guest_only ? 0 : SIGKILL);
  Server server;
  if (options.orphans) server.accept_max = options.connections / 2;
  server.listen_socket(options, true);
  server.serve();
}

void run_replica(const Options& options, int feed, uint8_t* net_area) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  Ring ring(net_area);
  Server server;
  const int family = options.v6 ? AF_INET6 : AF_INET;
  const int listener = server.listen_socket(options, false);
  const uint64_t listener_cookie = cookie_of(listener);
  ring.put(abi::kNetListen, listener_cookie, 4096, sockaddr_bytes(Server::bound(options), family));
  std::map<uint32_t, Peer*> peers;
  for (;;) {
    Bytes buffer(128 * 1024);
    const ssize_t n = recv(feed, buffer.data(), buffer.size(), 0);
    if (n < ssize_t(sizeof(Feed))) _exit(0);
    Feed head;
    memcpy(&head, buffer.data(), sizeof head);
    const Bytes payload(buffer.begin() + sizeof head, buffer.begin() + n);
    switch (head.kind) {
      case Feed::kAccept: {
        Peer* peer = server.new_peer(socket(family, SOCK_STREAM | SOCK_NONBLOCK, 0));
        peers[head.connection] = peer;
        // Remote, then local, as the agent sends them.
        ring.put(abi::kNetAccept, cookie_of(peer->fd), listener_cookie, payload);
        break;
      }
      case Feed::kInput: {
        Peer* peer = peers.at(head.connection);
        peer->in.insert(peer->in.end(), payload.begin(), payload.end());
        Bytes out;
        size_t used = 0, step;
        while ((step = peer->protocol.step(peer->in.data() + used, peer->in.size() - used, &out)) != 0) used += step;
        if (used == 0) break;
        peer->in.erase(peer->in.begin(), peer->in.begin() + ptrdiff_t(used));
        // As a guest would that reads in pieces and is interrupted by the end of the journal in between.
        ring.put(abi::kNetConsumed, cookie_of(peer->fd), used);
        ring.put(abi::kNetSent, cookie_of(peer->fd), 0, out);
        break;
      }
      case Feed::kEof: {
        const auto it = peers.find(head.connection);
        const uint64_t cookie = cookie_of(it->second->fd);
        close(it->second->fd);
        delete it->second;
        peers.erase(it);
        ring.put(abi::kNetClose, cookie, 0);
        break;
      }
      case Feed::kDrain: {
        // Events that lie around from before the takeover must not be what makes it work.
        server.forget_events();
        const Feed done{Feed::kDrain, 0};
        send(feed, &done, sizeof done, 0);
        break;
      }
      case Feed::kLive:
        // A request that has not come in whole was not read: it comes (again) from the socket.
        for (const auto& [id, peer] : peers) peer->in.clear();
        server.serve();
    }
  }
}

}  // namespace pair_test
