// See connection_snapshot.h.
#include "net/connection_snapshot.h"

#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cstddef>

#include "net/socket_diag.h"
#include "net/urgent.h"

namespace understudy::host {
namespace {

// The kernel's numbers of the states of a connection.
enum State : uint8_t {
  kEstablished = 1,
  kSynSent = 2,
  kSynReceived = 3,
  kFinWait1 = 4,
  kFinWait2 = 5,
  kClosed = 7,
  kCloseWait = 8,
  kLastAck = 9,
  kBothClosing = 11,
};
// Something may come in between two questions where no gate holds packets back.
constexpr int kAttempts = 5;
// The first segment of the send queue may begin with bytes that were acknowledged.
constexpr size_t kSegmentMax = 128 * 1024;

template <class T>
int get(int fd, int level, int option, T* value, socklen_t* size = nullptr) {
  socklen_t len = sizeof *value;
  const int error = getsockopt(fd, level, option, value, &len) == 0 ? 0 : errno;
  if (size != nullptr) *size = len;
  return error;
}
int set(int fd, int level, int option, int value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0 ? 0 : errno;
}
[[noreturn]] void fail(const char* step, int error) {
  throw HostError("NET", error, "", std::string(step) + ": " + errno_text(error));
}
void must(const char* step, int error) {
  if (error != 0) fail(step, error);
}

std::optional<Endpoint> own_name(int fd) {
  sockaddr_storage address;
  socklen_t len = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &len) != 0) return std::nullopt;
  return Endpoint::from(&address, len);
}
// Unlike getpeername() it still knows the other end of a connection that has come to its end.
std::optional<Endpoint> peer_name(int fd, int family) {
  sockaddr_storage address;
  // More room than it needs is an error.
  socklen_t len = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERNAME, &address, &len) != 0) return std::nullopt;
  return Endpoint::from(&address, len);
}

// In repair mode the socket answers questions about its numbers. Leaving it must not send anything, and clears SO_REUSEADDR.
class Repair {
 public:
  explicit Repair(int fd) : fd_(fd) {
    must("SO_REUSEADDR", get(fd, SOL_SOCKET, SO_REUSEADDR, &reuse_));
    must("TCP_REPAIR", set(fd, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_ON));
  }
  ~Repair() {
    set(fd_, IPPROTO_TCP, TCP_REPAIR, TCP_REPAIR_OFF_NO_WP);
    if (reuse_ != 0) set(fd_, SOL_SOCKET, SO_REUSEADDR, 1);
  }
  Repair(const Repair&) = delete;
  Repair& operator=(const Repair&) = delete;
  uint32_t number() const {
    uint32_t seq = 0;
    must("TCP_QUEUE_SEQ", get(fd_, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq));
    return seq;
  }
  void choose(int queue) const { must("TCP_REPAIR_QUEUE", set(fd_, IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)); }

 private:
  int fd_, reuse_ = 0;
};

// Where the guest peeks at next (SO_PEEK_OFF) is moved by our own peeking.
class PeekOffset {
 public:
  explicit PeekOffset(int fd) : fd_(fd) {
    if (get(fd, SOL_SOCKET, SO_PEEK_OFF, &offset_) != 0) offset_ = -1;
    if (offset_ >= 0) must("SO_PEEK_OFF", set(fd, SOL_SOCKET, SO_PEEK_OFF, -1));
  }
  ~PeekOffset() {
    if (offset_ >= 0) set(fd_, SOL_SOCKET, SO_PEEK_OFF, offset_);
  }
  PeekOffset(const PeekOffset&) = delete;
  PeekOffset& operator=(const PeekOffset&) = delete;

 private:
  int fd_, offset_ = -1;
};

// `scratch` is used again and again: room is often far more than what comes.
std::vector<uint8_t> peek(int fd, size_t room, std::vector<uint8_t>* scratch, const char* what) {
  if (scratch->size() < room) scratch->resize(room);
  const ssize_t n = recv(fd, scratch->data(), room, MSG_PEEK | MSG_DONTWAIT);
  if (n < 0) fail(what, errno);
  return {scratch->begin(), scratch->begin() + n};
}

uint32_t count_of(int fd, unsigned long request, const char* what) {
  int count = 0;
  if (ioctl(fd, request, &count) != 0) fail(what, errno);
  return uint32_t(count);
}

// False: something came in meanwhile.
bool read_numbers(int fd, const Repair& repair, std::vector<uint8_t>* scratch, SocketState* s, tcp_info* info,
                  socklen_t* info_len) {
  repair.choose(TCP_RECV_QUEUE);
  const uint32_t received = repair.number(), waiting = count_of(fd, SIOCINQ, "SIOCINQ");
  s->unread.clear();
  if (waiting != 0) {
    const PeekOffset offset(fd);
    s->unread = peek(fd, waiting, scratch, "reading unread input");
  }
  must("TCP_INFO", get(fd, IPPROTO_TCP, TCP_INFO, info, info_len));
  if (repair.number() != received || s->unread.size() != waiting) return false;
  const uint8_t state = info->tcpi_state;
  s->remote_fin = state == kCloseWait || state == kLastAck || state == kBothClosing || state == kClosed;
  s->local_fin = state == kFinWait1 || state == kFinWait2 || state == kLastAck || state == kBothClosing ||
                 state == kClosed;
  s->fin_acknowledged = state == kFinWait2 || state == kClosed;
  s->receive_seq = received - (s->remote_fin ? 1 : 0) - waiting;
  // Not longer than it takes: an acknowledgement that comes in with this queue chosen would make the kernel take unsent bytes for sent.
  repair.choose(TCP_SEND_QUEUE);
  const uint32_t written = repair.number(), unacknowledged = count_of(fd, SIOCOUTQ, "SIOCOUTQ");
  s->output.clear();
  if (unacknowledged > (s->local_fin && !s->fin_acknowledged ? 1u : 0u))
    s->output = peek(fd, unacknowledged + kSegmentMax, scratch, "reading unacknowledged output");
  repair.choose(TCP_NO_QUEUE);
  const uint32_t end = written - (s->local_fin ? 1 : 0);
  s->send_seq = end - uint32_t(s->output.size());
  return true;
}

void read_stream(int fd, std::vector<uint8_t>* scratch, SocketState* s) {
  tcp_info info{};
  socklen_t info_len = 0;
  {
    const Repair repair(fd);
    int mss = 0;
    // In repair mode: what the other end has said, instead of what is used now.
    must("TCP_MAXSEG", get(fd, IPPROTO_TCP, TCP_MAXSEG, &mss));
    s->mss = uint16_t(std::clamp(mss, 0, 65535));
    int attempt = 0;
    while (!read_numbers(fd, repair, scratch, s, &info, &info_len)) {
      if (++attempt == kAttempts) fail("the connection does not keep still", EAGAIN);
    }
    if (info_len >= offsetof(tcp_info, tcpi_snd_wnd) + sizeof info.tcpi_snd_wnd) {
      s->window = info.tcpi_snd_wnd;
    } else if (info.tcpi_state != kClosed) {
      tcp_repair_window window{};
      must("TCP_REPAIR_WINDOW", get(fd, IPPROTO_TCP, TCP_REPAIR_WINDOW, &window));
      s->window = window.snd_wnd;
    }
  }
  if (info.tcpi_state == kSynSent || info.tcpi_state == kSynReceived) {
    s->kind = SocketState::kConnecting;
    return;
  }
  s->sack = (info.tcpi_options & TCPI_OPT_SACK) != 0;
  s->timestamps = (info.tcpi_options & TCPI_OPT_TIMESTAMPS) != 0;
  if ((info.tcpi_options & TCPI_OPT_WSCALE) != 0) {
    s->remote_scale = int8_t(info.tcpi_snd_wscale);
    s->local_scale = int8_t(info.tcpi_rcv_wscale);
  }
  must("TCP_TIMESTAMP", get(fd, IPPROTO_TCP, TCP_TIMESTAMP, &s->tsval));
  pollfd events{fd, POLLRDHUP, 0};
  if (poll(&events, 1, 0) < 0) fail("poll", errno);
  s->shut_read = !s->remote_fin && (events.revents & POLLRDHUP) != 0;
  // An end that came as an error which the guest has not been told yet. Of one that it has been told nothing is left to tell.
  if (info.tcpi_state == kClosed && (events.revents & POLLERR) != 0) {
    s->remote_reset = true;
    s->remote_fin = s->local_fin = s->fin_acknowledged = false;
    s->receive_seq++;
    s->send_seq++;
  }
}

void apply_in_flight(const InFlight& calls, SocketState* s) {
  s->unread.insert(s->unread.begin(), calls.read.begin(), calls.read.end());
  s->receive_seq -= uint32_t(calls.read.size());
  const auto here = size_t(std::min<uint64_t>(calls.written, s->output.size()));
  s->output.resize(s->output.size() - here);
  s->acknowledged_beyond = uint32_t(calls.written - here);
  s->send_seq -= s->acknowledged_beyond;
}

void read_socket(const GuestDescriptor& descriptor, const SnapshotOptions& options, std::vector<uint8_t>* scratch,
                 SocketState* s, bool* unaccepted) {
  const int fd = descriptor.fd.get();
  if (const auto name = own_name(fd); name && name->port != 0) s->local = *name;
  if (descriptor.type == SOCK_DGRAM) {
    s->kind = SocketState::kDatagram;
    if (const auto peer = peer_name(fd, descriptor.family)) s->remote = *peer;
    return;
  }
  const std::optional<Endpoint> peer = peer_name(fd, descriptor.family);
  if (!peer) {
    int listening = 0;
    must("SO_ACCEPTCONN", get(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening));
    if (listening == 0) return;
    s->kind = SocketState::kListener;
    tcp_info info{};
    must("TCP_INFO", get(fd, IPPROTO_TCP, TCP_INFO, &info));
    // Of a listener these two count its queue.
    s->backlog = info.tcpi_sacked;
    *unaccepted |= info.tcpi_unacked != 0;
    return;
  }
  s->remote = *peer;
  s->kind = SocketState::kStream;
  s->gated = options.gated ? options.gated(s->local, s->remote) : s->local.address == options.vip;
  if (!s->gated) return;
  read_stream(fd, scratch, s);
  if (s->kind != SocketState::kStream) return;
  if (const auto calls = options.in_flight.find(s->cookie); calls != options.in_flight.end())
    apply_in_flight(calls->second, s);
}

// ---- Connections that the guest has not accepted -----------------------------------------------------------------------

void list_unaccepted(uint8_t family, const Address& vip, std::vector<SocketState>* out) {
  uint32_t states = 0;
  for (const State state : {kEstablished, kSynReceived, kCloseWait}) states |= 1u << state;
  list_tcp_sockets(family, states, [&](const inet_diag_msg& found) {
    // A socket that somebody has a descriptor of has an inode.
    if (found.idiag_inode != 0) return;
    SocketState s;
    s.local = local_of(found);
    s.remote = remote_of(found);
    if (s.local.address != vip) return;
    s.family = found.idiag_family;
    s.kind = SocketState::kWaiting;
    out->push_back(std::move(s));
  });
}

}  // namespace

ConnectionSnapshot take_snapshot(const std::vector<pid_t>& pids, const SnapshotOptions& options) {
  const Urgent urgent;  // the guest and its clients wait
  ConnectionSnapshot snapshot;
  std::vector<uint8_t> scratch;
  bool unaccepted = false;
  const auto descriptors = collect_sockets(pids, &snapshot.missed);
  for (const auto& [cookie, descriptor] : descriptors) {
    if (descriptor.type != SOCK_STREAM && descriptor.type != SOCK_DGRAM) continue;
    SocketState s;
    s.cookie = cookie;
    s.family = uint8_t(descriptor.family);
    try {
      read_socket(descriptor, options, &scratch, &s, &unaccepted);
    } catch (const HostError& error) {
      snapshot.failed.push_back("the socket " + s.local.text() + " with " + s.remote.text() + ": " + error.what());
      continue;
    }
    snapshot.sockets.push_back(std::move(s));
  }
  // The kernel looks through all connections of the host for these, which takes a millisecond.
  if (unaccepted) {
    list_unaccepted(options.vip.family, options.vip, &snapshot.sockets);
    // Of an IPv4 address an IPv6 socket may have connections, too.
    if (options.vip.family == AF_INET) list_unaccepted(AF_INET6, options.vip, &snapshot.sockets);
  }
  std::stable_partition(snapshot.sockets.begin(), snapshot.sockets.end(),
                        [](const SocketState& s) { return s.kind == SocketState::kListener; });
  return snapshot;
}

}  // namespace understudy::host
