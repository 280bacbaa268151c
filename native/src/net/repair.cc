// See repair.h.
#include "net/repair.h"

#include <netinet/tcp.h>

#include <algorithm>

#include "common.h"

namespace understudy::host {
namespace {

constexpr int kBufLock = 72;                 // SO_BUF_LOCK (Linux 5.14): which sizes were set by hand
constexpr uint32_t kReceiveWindow = 131072;  // what Linux offers at first; it grows by itself
constexpr size_t kQueueChunk = 32768;        // one skb each: larger ones need contiguous pages

template <class T>
int set(int fd, int level, int option, const T& value) {
  return setsockopt(fd, level, option, &value, sizeof value) == 0 ? 0 : errno;
}
int get_int(int fd, int level, int option) {
  int value = 0;
  socklen_t len = sizeof value;
  return getsockopt(fd, level, option, &value, &len) == 0 ? value : 0;
}
int set_transparent(int fd, int family, int on) {
  return family == AF_INET ? set(fd, SOL_IP, IP_TRANSPARENT, on) : set(fd, SOL_IPV6, IPV6_TRANSPARENT, on);
}

std::string failed(const char* step, int error) { return std::string(step) + ": " + errno_text(error); }

int fill_queue(int fd, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = send(fd, bytes.data(), std::min(bytes.size(), kQueueChunk), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : EIO;
    bytes = bytes.subspan(size_t(n));
  }
  return 0;
}

}  // namespace

int bind_anywhere(int fd, int socket_family, const Endpoint& local) {
  if (const int error = set_transparent(fd, socket_family, 1); error != 0) return error;
  sockaddr_storage address;
  const socklen_t len = local.to(&address, socket_family);
  const int error = bind(fd, reinterpret_cast<sockaddr*>(&address), len) == 0 ? 0 : errno;
  set_transparent(fd, socket_family, 0);
  return error;
}

void reserve_buffer(int fd, bool send, size_t bytes) {
  const int locks = get_int(fd, SOL_SOCKET, kBufLock);
  const int size = get_int(fd, SOL_SOCKET, send ? SO_SNDBUF : SO_RCVBUF);
  // What is asked for is doubled, and half of it counts as overhead of the buffers that hold the bytes.
  const int wanted = int(std::min<size_t>(bytes * 2, 512u << 20));
  if (size >= wanted) return;
  if (set(fd, SOL_SOCKET, send ? SO_SNDBUFFORCE : SO_RCVBUFFORCE, wanted) == 0) set(fd, SOL_SOCKET, kBufLock, locks);
}

void restore_buffer(int fd, bool send, int size) {
  const int locks = get_int(fd, SOL_SOCKET, kBufLock);
  if (set(fd, SOL_SOCKET, send ? SO_SNDBUFFORCE : SO_RCVBUFFORCE, size / 2) == 0) set(fd, SOL_SOCKET, kBufLock, locks);
}

std::string begin_repair(int fd, const RepairSpec& spec) {
  if (const int error = set(fd, SOL_TCP, TCP_REPAIR, 1)) return failed("TCP_REPAIR", error);
  // IP_FREEBIND would let bind() pass, but not the route lookup of connect(): the address is not here yet.
  if (const int error = set_transparent(fd, spec.socket_family, 1)) return failed("IP_TRANSPARENT", error);
  sockaddr_storage address;
  socklen_t len = spec.local.to(&address, spec.socket_family);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), len) != 0) {
    const int error = errno;
    // The guest has bound it itself, before it connected.
    sockaddr_storage name;
    socklen_t name_len = sizeof name;
    const bool bound = error == EINVAL && getsockname(fd, reinterpret_cast<sockaddr*>(&name), &name_len) == 0 &&
                       Endpoint::from(&name, name_len) == spec.local;
    if (!bound) return failed("bind", error);
  }
  if (const int error = set(fd, SOL_TCP, TCP_REPAIR_QUEUE, int(TCP_RECV_QUEUE)))
    return failed("TCP_REPAIR_QUEUE", error);
  if (const int error = set(fd, SOL_TCP, TCP_QUEUE_SEQ, spec.receive_seq)) return failed("TCP_QUEUE_SEQ", error);
  if (const int error = set(fd, SOL_TCP, TCP_REPAIR_QUEUE, int(TCP_SEND_QUEUE)))
    return failed("TCP_REPAIR_QUEUE", error);
  if (const int error = set(fd, SOL_TCP, TCP_QUEUE_SEQ, spec.send_seq)) return failed("TCP_QUEUE_SEQ", error);
  len = spec.remote.to(&address, spec.socket_family);
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), len) != 0) return failed("connect", errno);
  set_transparent(fd, spec.socket_family, 0);

  tcp_repair_opt options[4];
  size_t n = 0;
  options[n++] = {TCPOPT_MAXSEG, spec.mss != 0 ? spec.mss : 536u};
  if (spec.window_scale) options[n++] = {TCPOPT_WINDOW, uint32_t(spec.remote_scale) | uint32_t(spec.local_scale) << 16};
  if (spec.sack) options[n++] = {TCPOPT_SACK_PERMITTED, 0};
  if (spec.timestamps) options[n++] = {TCPOPT_TIMESTAMP, 0};
  if (setsockopt(fd, SOL_TCP, TCP_REPAIR_OPTIONS, options, socklen_t(n * sizeof options[0])) != 0)
    return failed("TCP_REPAIR_OPTIONS", errno);
  if (spec.timestamps) {
    if (const int error = set(fd, SOL_TCP, TCP_TIMESTAMP, spec.tsval & ~1u)) return failed("TCP_TIMESTAMP", error);
  }
  if (!spec.unread.empty()) {
    reserve_buffer(fd, false, spec.unread.size());
    if (const int error = set(fd, SOL_TCP, TCP_REPAIR_QUEUE, int(TCP_RECV_QUEUE)))
      return failed("TCP_REPAIR_QUEUE", error);
    if (const int error = fill_queue(fd, spec.unread)) return failed("restoring unread input", error);
  }
  const uint32_t next = spec.receive_seq + uint32_t(spec.unread.size());
  tcp_repair_window window{};
  window.snd_wl1 = next - 1;
  window.snd_wnd = spec.window;
  window.max_window = spec.window;
  window.rcv_wnd = std::min(kReceiveWindow, 65535u << (spec.window_scale ? spec.local_scale : 0));
  window.rcv_wup = next;
  if (const int error = set(fd, SOL_TCP, TCP_REPAIR_WINDOW, window)) return failed("TCP_REPAIR_WINDOW", error);
  if (const int error = set(fd, SOL_TCP, TCP_REPAIR_QUEUE, int(TCP_NO_QUEUE))) return failed("TCP_REPAIR_QUEUE", error);
  return "";
}

std::string restore_sent(int fd, std::span<const uint8_t> bytes) {
  reserve_buffer(fd, true, bytes.size());
  if (const int error = set(fd, SOL_TCP, TCP_REPAIR_QUEUE, int(TCP_SEND_QUEUE)))
    return failed("TCP_REPAIR_QUEUE", error);
  if (const int error = fill_queue(fd, bytes)) return failed("restoring sent output", error);
  if (const int error = set(fd, SOL_TCP, TCP_REPAIR_QUEUE, int(TCP_NO_QUEUE))) return failed("TCP_REPAIR_QUEUE", error);
  return "";
}

std::string end_repair(int fd, int reuse_address) {
  const int error = set(fd, SOL_TCP, TCP_REPAIR, 0);
  // Leaving repair mode clears SO_REUSEADDR; what the guest reads back must be what it set.
  if (reuse_address != 0) set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  return error == 0 ? "" : failed("TCP_REPAIR off", error);
}

void raise_events(int fd) {
  // Both calls end in the wake-up that arriving bytes, or freed room, would have caused; what they set is what was set.
  set(fd, SOL_SOCKET, SO_RCVLOWAT, std::max(1, get_int(fd, SOL_SOCKET, SO_RCVLOWAT)));
  restore_buffer(fd, true, get_int(fd, SOL_SOCKET, SO_SNDBUF));
}

}  // namespace understudy::host
