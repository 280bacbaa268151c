// See vip.h.
#include "net/vip.h"

#include <net/if.h>
// The system's names above and the kernel's below go together in this order only.
#include <arpa/inet.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <sys/ioctl.h>

#include <cstddef>
#include <memory>

namespace understudy::host {
namespace {

[[noreturn]] void fail(int error, const std::string& what) {
  throw HostError("NET", error, "",
                  what + ": " + errno_text(error) + (error == EPERM ? "; it needs CAP_NET_ADMIN" : ""));
}

}  // namespace

Vip::Vip(const Address& address, uint8_t prefix, const std::string& interface)
    : address_(address), prefix_(prefix), interface_(interface) {
  route_ = UniqueFd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  sockaddr_nl netlink{};
  netlink.nl_family = AF_NETLINK;
  if (!route_ || bind(route_.get(), reinterpret_cast<sockaddr*>(&netlink), sizeof netlink) != 0)
    fail(errno, "cannot open a routing socket");
  // Protocol 0: it only sends.
  link_ = UniqueFd(socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!link_) fail(errno, "cannot open a packet socket");
  index_ = int(if_nametoindex(interface.c_str()));
  if (index_ == 0) fail(errno, "the VIP's interface " + interface + " is not there");
  ifreq request{};
  interface.copy(request.ifr_name, IFNAMSIZ - 1);
  if (ioctl(link_.get(), SIOCGIFHWADDR, &request) != 0)
    fail(errno, "cannot read the address of interface " + interface);
  has_mac_ = request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
  memcpy(mac_, request.ifr_hwaddr.sa_data, 6);
}

int Vip::talk(nlmsghdr* message) {
  message->nlmsg_seq = sequence_;
  if (send(route_.get(), message, message->nlmsg_len, 0) < 0) return errno;
  for (;;) {
    alignas(nlmsghdr) char buffer[4096];
    const ssize_t n = recv(route_.get(), buffer, sizeof buffer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    const auto* answer = reinterpret_cast<const nlmsghdr*>(buffer);
    if (size_t(n) < sizeof(nlmsghdr) + sizeof(int) || answer->nlmsg_type != NLMSG_ERROR ||
        answer->nlmsg_seq != sequence_)
      continue;
    sequence_++;
    return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(answer))->error;
  }
}

int Vip::change_address(uint16_t type, uint16_t flags) {
  alignas(nlmsghdr) char buffer[512];
  nlmsghdr* message = mnl_nlmsg_put_header(buffer);
  message->nlmsg_type = type;
  message->nlmsg_flags = uint16_t(NLM_F_REQUEST | NLM_F_ACK | flags);
  auto* header = static_cast<ifaddrmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifaddrmsg)));
  header->ifa_family = address_.family;
  header->ifa_prefixlen = prefix_;
  header->ifa_flags = address_.family == AF_INET6 ? IFA_F_NODAD : 0;
  header->ifa_scope = RT_SCOPE_UNIVERSE;
  header->ifa_index = uint32_t(index_);
  mnl_attr_put(message, IFA_LOCAL, address_.size(), address_.bytes.data());
  mnl_attr_put(message, IFA_ADDRESS, address_.size(), address_.bytes.data());
  return talk(message);
}

// The kernel makes an IPv6 address's local route itself, but later, in a work queue: ten milliseconds on a loaded machine, in which the
// address is nobody's. The same route put there by hand is there at once; it has to be taken away by hand, too.
int Vip::change_route(uint16_t type, uint16_t flags) {
  alignas(nlmsghdr) char buffer[512];
  nlmsghdr* message = mnl_nlmsg_put_header(buffer);
  message->nlmsg_type = type;
  message->nlmsg_flags = uint16_t(NLM_F_REQUEST | NLM_F_ACK | flags);
  auto* header = static_cast<rtmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(rtmsg)));
  header->rtm_family = AF_INET6;
  header->rtm_dst_len = 128;
  header->rtm_table = RT_TABLE_LOCAL;
  header->rtm_protocol = RTPROT_KERNEL;
  header->rtm_scope = RT_SCOPE_UNIVERSE;
  header->rtm_type = RTN_LOCAL;
  mnl_attr_put(message, RTA_DST, address_.size(), address_.bytes.data());
  mnl_attr_put_u32(message, RTA_OIF, uint32_t(index_));
  return talk(message);
}

void Vip::add() {
  int error = change_address(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
  if (error == EEXIST) error = 0;
  if (error == 0 && address_.family == AF_INET6) error = change_route(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL);
  if (error != 0 && error != EEXIST) fail(error, "cannot add " + address_.text() + " to interface " + interface_);
}

void Vip::remove() {
  int error = change_address(RTM_DELADDR, 0);
  if (address_.family == AF_INET6) {
    const int route_error = change_route(RTM_DELROUTE, 0);
    if (error == 0 && route_error != ESRCH) error = route_error;
  }
  if (error != 0 && error != EADDRNOTAVAIL)
    fail(error, "cannot remove " + address_.text() + " from interface " + interface_);
}

bool Vip::present() const {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) fail(errno, "cannot list this host's addresses");
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner(list, freeifaddrs);
  for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    const std::optional<Endpoint> endpoint = Endpoint::from(entry->ifa_addr, sizeof(sockaddr_in6));
    if (endpoint && endpoint->address == address_) return true;
  }
  return false;
}

void Vip::announce() const {
  if (!has_mac_) return;  // nobody on a link without addresses keeps a table of them
  if (address_.family == AF_INET) {
    send_arp(ARPOP_REQUEST);
    send_arp(ARPOP_REPLY);
  } else {
    send_advertisement();
  }
}

void Vip::send_arp(uint16_t operation) const {
  struct __attribute__((packed)) {
    uint8_t to[6], from[6];
    uint16_t ether_type, hardware, protocol;
    uint8_t hardware_len, protocol_len;
    uint16_t operation;
    uint8_t sender_mac[6], sender_ip[4], target_mac[6], target_ip[4];
  } frame;
  memset(frame.to, 0xff, 6);
  memcpy(frame.from, mac_, 6);
  frame.ether_type = htons(ETH_P_ARP);
  frame.hardware = htons(ARPHRD_ETHER);
  frame.protocol = htons(ETH_P_IP);
  frame.hardware_len = 6;
  frame.protocol_len = 4;
  frame.operation = htons(operation);
  memcpy(frame.sender_mac, mac_, 6);
  memcpy(frame.sender_ip, address_.bytes.data(), 4);
  memset(frame.target_mac, operation == ARPOP_REQUEST ? 0 : 0xff, 6);
  memcpy(frame.target_ip, address_.bytes.data(), 4);
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = index_;
  to.sll_halen = 6;
  memset(to.sll_addr, 0xff, 6);
  if (sendto(link_.get(), &frame, sizeof frame, 0, reinterpret_cast<sockaddr*>(&to), sizeof to) < 0)
    fail(errno, "cannot announce " + address_.text() + " on interface " + interface_);
}

void Vip::send_advertisement() const {
  // RFC 4861, 4.4 and 7.2.6: to all nodes (ff02::1), Override set, target link-layer address option.
  struct __attribute__((packed)) {
    uint8_t to[6], from[6];
    uint16_t ether_type;
    uint8_t version[4];
    uint16_t length;
    uint8_t next_header, hop_limit, source[16], destination[16];
    uint8_t type, code;
    uint16_t checksum;
    uint8_t flags[4], target[16], option_type, option_len, option_mac[6];
  } frame{};
  const uint8_t all_nodes[16] = {0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
  memcpy(frame.to, all_nodes_mac, 6);
  memcpy(frame.from, mac_, 6);
  frame.ether_type = htons(ETH_P_IPV6);
  frame.version[0] = 0x60;
  frame.length = htons(32);
  frame.next_header = IPPROTO_ICMPV6;
  frame.hop_limit = 255;
  memcpy(frame.source, address_.bytes.data(), 16);
  memcpy(frame.destination, all_nodes, 16);
  frame.type = 136;
  frame.flags[0] = 0x20;
  memcpy(frame.target, address_.bytes.data(), 16);
  frame.option_type = 2;
  frame.option_len = 1;
  memcpy(frame.option_mac, mac_, 6);
  uint32_t sum = 32 + IPPROTO_ICMPV6;
  const auto* bytes = reinterpret_cast<const uint8_t*>(&frame);
  const size_t source_at = offsetof(decltype(frame), source);  // addresses and message lie in succession
  for (size_t i = source_at; i < sizeof frame; i += 2) sum += uint32_t(bytes[i]) << 8 | bytes[i + 1];
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  frame.checksum = htons(uint16_t(~sum));
  sockaddr_ll to{};
  to.sll_family = AF_PACKET;
  to.sll_ifindex = index_;
  to.sll_halen = 6;
  memcpy(to.sll_addr, all_nodes_mac, 6);
  if (sendto(link_.get(), &frame, sizeof frame, 0, reinterpret_cast<sockaddr*>(&to), sizeof to) < 0)
    fail(errno, "cannot announce " + address_.text() + " on interface " + interface_);
}

}  // namespace understudy::host
