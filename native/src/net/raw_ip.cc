// See raw_ip.h.
#include "net/raw_ip.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <time.h>

namespace understudy::host {
namespace {

constexpr size_t kPacketMax = 128 * 1024;
constexpr int kTapBuffer = 32 << 20;  // a thousand clients' answers and what they send meanwhile

[[noreturn]] void fail(const std::string& what) {
  const int error = errno;
  throw HostError("NET", error, "", what + ": " + errno_text(error) + (error == EPERM ? "; it needs CAP_NET_RAW" : ""));
}

}  // namespace

RawSender::RawSender(uint8_t family) : fd_(socket(family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW)) {
  if (!fd_) fail("cannot open a raw socket");
  int one = 1;
  if (family == AF_INET6 && setsockopt(fd_.get(), SOL_IPV6, IPV6_HDRINCL, &one, sizeof one) != 0)
    fail("cannot send IPv6 packets with headers of their own");
  int size = 8 << 20;
  setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
}

int RawSender::send(std::span<const uint8_t> ip_packet, const Address& destination) const {
  sockaddr_storage to;
  // Port 0: an IPv6 raw socket refuses any other than its protocol's.
  const socklen_t len = Endpoint{destination, 0}.to(&to, destination.family);
  for (;;) {
    if (sendto(fd_.get(), ip_packet.data(), ip_packet.size(), 0, reinterpret_cast<sockaddr*>(&to), len) >= 0) return 0;
    if (errno != EINTR) return errno;
  }
}

void RawSender::mark(uint32_t value) const { setsockopt(fd_.get(), SOL_SOCKET, SO_MARK, &value, sizeof value); }

Tap::Tap(Direction direction, const Address& address, int interface_index) : buffer_(kPacketMax) {
  const bool v4 = address.family == AF_INET, in = direction == Direction::kIn;
  // Protocol 0 first: nothing comes before the filter is there.
  fd_ = UniqueFd(socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd_) fail("cannot open a packet socket");
  // To or from this host, TCP, and each word of the address; any difference jumps to the last statement.
  const size_t words = v4 ? 1 : 4, refuse = 5 + words * 2;
  std::vector<sock_filter> program;
  auto load = [&](uint16_t size, uint32_t at) { program.push_back(BPF_STMT(uint16_t(BPF_LD | BPF_ABS | size), at)); };
  auto require = [&](uint32_t value) {
    const auto otherwise = uint8_t(refuse - program.size() - 1);
    program.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, otherwise));
  };
  // Sent to this host: a switch that has forgotten where the primary is shows its packets to everyone.
  load(BPF_W, uint32_t(SKF_AD_OFF) + SKF_AD_PKTTYPE);
  require(in ? PACKET_HOST : PACKET_OUTGOING);
  load(BPF_B, v4 ? 9 : 6);
  require(IPPROTO_TCP);
  for (size_t i = 0; i < words; i++) {
    uint32_t word;
    memcpy(&word, address.bytes.data() + i * 4, 4);
    load(BPF_W, uint32_t((in ? (v4 ? 16 : 24) : (v4 ? 12 : 8)) + i * 4));
    require(ntohl(word));
  }
  program.push_back(BPF_STMT(BPF_RET | BPF_K, 0x40000));
  program.push_back(BPF_STMT(BPF_RET | BPF_K, 0));
  const sock_fprog filter{uint16_t(program.size()), program.data()};
  if (setsockopt(fd_.get(), SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) != 0)
    fail("cannot filter a packet socket");
  int size = kTapBuffer, one = 1;
  setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  setsockopt(fd_.get(), SOL_PACKET, PACKET_AUXDATA, &one, sizeof one);
  sockaddr_ll place{};
  place.sll_family = AF_PACKET;
  // What leaves is shown to those who want everything only.
  place.sll_protocol = htons(!in ? ETH_P_ALL : v4 ? ETH_P_IP : ETH_P_IPV6);
  place.sll_ifindex = interface_index;
  if (bind(fd_.get(), reinterpret_cast<sockaddr*>(&place), sizeof place) != 0) fail("cannot bind a packet socket");
}

void Tap::read(const std::function<void(std::span<uint8_t>)>& on_packet) {
  for (;;) {
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(tpacket_auxdata))];
    iovec iov{buffer_.data(), buffer_.size()};
    msghdr message{};
    message.msg_iov = &iov;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t n = recvmsg(fd_.get(), &message, MSG_TRUNC);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return;
    if (size_t(n) > buffer_.size()) continue;  // its sender will send it again
    const std::span<uint8_t> packet(buffer_.data(), size_t(n));
    for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
      tpacket_auxdata aux;
      if (c->cmsg_level != SOL_PACKET || c->cmsg_type != PACKET_AUXDATA) continue;
      memcpy(&aux, CMSG_DATA(c), sizeof aux);
      if ((aux.tp_status & TP_STATUS_CSUMNOTREADY) != 0) set_tcp_checksum(packet);
    }
    on_packet(packet);
  }
}

void Tap::wait(uint64_t timeout_ns) const {
  pollfd fd{fd_.get(), POLLIN, 0};
  const timespec timeout{time_t(timeout_ns / 1000000000), long(timeout_ns % 1000000000)};
  ppoll(&fd, 1, &timeout, nullptr);
}

uint64_t Tap::passed_ns() const {
  timespec stamp, now;
  const uint64_t monotonic = monotonic_ns();
  if (ioctl(fd_.get(), SIOCGSTAMPNS, &stamp) != 0 || clock_gettime(CLOCK_REALTIME, &now) != 0) return monotonic;
  const int64_t ago = (now.tv_sec - stamp.tv_sec) * 1000000000 + now.tv_nsec - stamp.tv_nsec;
  return ago > 0 ? monotonic - uint64_t(ago) : monotonic;
}

}  // namespace understudy::host
