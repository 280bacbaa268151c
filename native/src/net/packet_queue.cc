// See packet_queue.h.
#include "net/packet_queue.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <string.h>
#include <sys/socket.h>

namespace understudy::host {
namespace {

constexpr uint32_t kQueueLen = 65536;     // packets; the kernel's default of 1024 is less than a burst of a few clients
constexpr int kReceiveBuffer = 64 << 20;  // bytes; packets wait here as well until they are read
constexpr size_t kReadBuffer = 256 * 1024;  // one message holds at most one packet of 64 KB and its attributes
constexpr int kReadsPerCall = 64;           // then the caller has a chance to flush what it collected

nlmsghdr* begin_message(void* buffer, uint16_t type, uint16_t flags, uint16_t queue) {
  nlmsghdr* message = mnl_nlmsg_put_header(buffer);
  message->nlmsg_type = uint16_t(NFNL_SUBSYS_QUEUE << 8 | type);
  message->nlmsg_flags = flags;
  auto* header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  header->nfgen_family = AF_UNSPEC;
  header->version = NFNETLINK_V0;
  header->res_id = htons(queue);
  return message;
}

}  // namespace

PacketQueue::PacketQueue(uint16_t number, uint8_t family) : number_(number), buffer_(kReadBuffer) {
  fd_ = UniqueFd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (!fd_ || bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw HostError("NET", errno, "", "cannot open a netfilter socket: " + errno_text(errno));
  int size = kReceiveBuffer;
  if (setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
  // A full buffer then costs the packets that do not fit (their senders repeat them) instead of an error for each reader.
  int one = 1;
  setsockopt(fd_.get(), SOL_NETLINK, NETLINK_NO_ENOBUFS, &one, sizeof one);
  configure(family);
}

void PacketQueue::configure(uint8_t family) {
  alignas(nlmsghdr) char buffer[512];
  nlmsghdr* message = begin_message(buffer, NFQNL_MSG_CONFIG, NLM_F_REQUEST | NLM_F_ACK, number_);
  nfqnl_msg_config_cmd command{NFQNL_CFG_CMD_BIND, 0, htons(family)};
  mnl_attr_put(message, NFQA_CFG_CMD, sizeof command, &command);
  nfqnl_msg_config_params params{htonl(0xffff), NFQNL_COPY_PACKET};
  mnl_attr_put(message, NFQA_CFG_PARAMS, sizeof params, &params);
  mnl_attr_put_u32(message, NFQA_CFG_QUEUE_MAXLEN, htonl(kQueueLen));
  // GSO: take segments as the kernel has put them together. One packet of 64 KB instead of 45, eight times the rate.
  mnl_attr_put_u32(message, NFQA_CFG_FLAGS, htonl(NFQA_CFG_F_GSO));
  mnl_attr_put_u32(message, NFQA_CFG_MASK, htonl(NFQA_CFG_F_GSO | NFQA_CFG_F_FAIL_OPEN));
  if (send(fd_.get(), message, message->nlmsg_len, 0) < 0)
    throw HostError("NET", errno, "",
                    "cannot configure packet queue " + std::to_string(number_) + ": " + errno_text(errno));
  const ssize_t n = recv(fd_.get(), buffer, sizeof buffer, 0);
  const auto* answer = reinterpret_cast<const nlmsghdr*>(buffer);
  if (n < ssize_t(sizeof(nlmsghdr) + sizeof(int)) || answer->nlmsg_type != NLMSG_ERROR)
    throw HostError("NET", EIO, "", "packet queue " + std::to_string(number_) + " gave no answer to its configuration");
  const int error = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(answer))->error;
  if (error == EBUSY)
    throw HostError(
        "NET", error, "",
        "packet queue " + std::to_string(number_) + " is used by another program; give the service another number");
  if (error != 0)
    throw HostError("NET", error, "",
                    "cannot bind packet queue " + std::to_string(number_) + ": " + errno_text(error) +
                        (error == EPERM ? "; it needs CAP_NET_ADMIN" : ""));
}

bool PacketQueue::read(const OnPacket& on_packet) {
  bool any = false;
  for (int i = 0; i < kReadsPerCall; i++) {
    const ssize_t n = recv(fd_.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    any = true;
    int left = int(n);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(buffer_.data()); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_type != (NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET)) continue;
      uint32_t id = 0, info = 0;
      bool truncated = false;
      std::span<const uint8_t> packet;
      const auto* end = static_cast<const char*>(mnl_nlmsg_get_payload_tail(message));
      const auto* attribute = static_cast<const nlattr*>(mnl_nlmsg_get_payload_offset(message, sizeof(nfgenmsg)));
      for (; mnl_attr_ok(attribute, int(end - reinterpret_cast<const char*>(attribute)));
           attribute = mnl_attr_next(attribute)) {
        const auto* value = static_cast<const uint8_t*>(mnl_attr_get_payload(attribute));
        const size_t len = mnl_attr_get_payload_len(attribute);
        switch (mnl_attr_get_type(attribute)) {
          case NFQA_PACKET_HDR:
            if (len >= 4) {
              memcpy(&id, value, 4);
              id = ntohl(id);
            }
            break;
          case NFQA_PAYLOAD: packet = {value, len}; break;
          case NFQA_SKB_INFO:
            if (len >= 4) {
              memcpy(&info, value, 4);
              info = ntohl(info);
            }
            break;
          // Not all of the packet is here ("BIG TCP"). What is not mirrored must not be accepted.
          case NFQA_CAP_LEN: truncated = true; break;
          default: break;
        }
      }
      if (truncated) {
        drop(id);
        continue;
      }
      on_packet(id, packet, (info & NFQA_SKB_CSUM_NOTVERIFIED) != 0 && (info & NFQA_SKB_CSUMNOTREADY) == 0);
    }
  }
  return any;
}

void PacketQueue::send_verdict(int fd, uint16_t number, uint16_t type, uint32_t id, uint32_t verdict, uint32_t mark) {
  alignas(nlmsghdr) char buffer[128];
  nlmsghdr* message = begin_message(buffer, type, NLM_F_REQUEST, number);
  nfqnl_msg_verdict_hdr header{htonl(verdict), htonl(id)};
  mnl_attr_put(message, NFQA_VERDICT_HDR, sizeof header, &header);
  if (mark != 0) mnl_attr_put_u32(message, NFQA_MARK, htonl(mark));
  // The kernel handles the message before send() returns: the packet goes on its way in this thread.
  while (send(fd, message, message->nlmsg_len, 0) < 0 && errno == EINTR) {}
}

void PacketQueue::accept_until(uint32_t id, uint32_t mark) { send_batch_verdict(fd(), number_, id, NF_ACCEPT, mark); }
void PacketQueue::repeat_until(uint32_t id, uint32_t mark) { send_batch_verdict(fd(), number_, id, NF_REPEAT, mark); }
void PacketQueue::drop(uint32_t id) { send_verdict(fd(), number_, NFQNL_MSG_VERDICT, id, NF_DROP, 0); }
void PacketQueue::send_batch_verdict(int fd, uint16_t number, uint32_t id, uint32_t verdict, uint32_t mark) {
  send_verdict(fd, number, NFQNL_MSG_VERDICT_BATCH, id, verdict, mark);
}

}  // namespace understudy::host
