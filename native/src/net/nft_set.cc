// See nft_set.h.
#include "net/nft_set.h"

#include <arpa/inet.h>
#include <endian.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <sys/socket.h>

namespace understudy::host {
namespace {

constexpr size_t kBufferSize = 8192;

nlmsghdr* begin_message(mnl_nlmsg_batch* batch, uint16_t type, uint8_t family, uint16_t flags, uint32_t sequence,
                        uint16_t res_id) {
  nlmsghdr* message = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch));
  message->nlmsg_type = type;
  message->nlmsg_flags = uint16_t(NLM_F_REQUEST | flags);
  message->nlmsg_seq = sequence;
  auto* header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(message, sizeof(nfgenmsg)));
  header->nfgen_family = family;
  header->version = NFNETLINK_V0;
  header->res_id = htons(res_id);
  return message;
}

void put_element(nlmsghdr* message, const SetElement& element, bool with_timeout) {
  mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, element.table);
  mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, element.set);
  nlattr* list = mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS);
  nlattr* one = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
  nlattr* key = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
  mnl_attr_put(message, NFTA_DATA_VALUE, element.key.size(), element.key.data());
  mnl_attr_nest_end(message, key);
  if (with_timeout && element.timeout_ms != 0)
    mnl_attr_put_u64(message, NFTA_SET_ELEM_TIMEOUT, htobe64(element.timeout_ms));
  mnl_attr_nest_end(message, one);
  mnl_attr_nest_end(message, list);
}

}  // namespace

NftSets::NftSets() {
  fd_ = UniqueFd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (!fd_ || bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw HostError("NET", errno, "", "cannot open a netfilter socket: " + errno_text(errno));
  // The kernel answers before send() returns; waiting would mean that it did not.
  timeval timeout{1, 0};
  setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
}

// Deleting what is not there (it timed out) refuses the whole transaction. ("destroy" would not, but needs Linux 6.3.)
int NftSets::put(std::span<const SetElement> elements) {
  // Taken away and put again in one transaction: no moment without it, and its time begins anew.
  int error = transact(elements, true, true);
  if (error != ENOENT) return error;
  error = 0;
  for (size_t i = 0; i < elements.size(); i++) {
    int one = transact(elements.subspan(i, 1), true, true);
    if (one == ENOENT) one = transact(elements.subspan(i, 1), false, true);
    if (one != 0) error = one;
  }
  return error;
}

int NftSets::remove(std::span<const SetElement> elements) {
  int error = transact(elements, true, false);
  if (error != ENOENT) return error;
  error = 0;
  for (size_t i = 0; i < elements.size(); i++) {
    const int one = transact(elements.subspan(i, 1), true, false);
    if (one != 0 && one != ENOENT) error = one;
  }
  return error;
}

int NftSets::transact(std::span<const SetElement> elements, bool remove, bool add) {
  alignas(nlmsghdr) char buffer[kBufferSize * 2];
  mnl_nlmsg_batch* batch = mnl_nlmsg_batch_start(buffer, kBufferSize);
  if (batch == nullptr) return ENOMEM;
  const uint32_t first = sequence_;
  uint32_t last = first;
  begin_message(batch, NFNL_MSG_BATCH_BEGIN, AF_UNSPEC, 0, sequence_++, NFNL_SUBSYS_NFTABLES);
  mnl_nlmsg_batch_next(batch);
  auto put = [&](const SetElement& element, uint16_t type, uint16_t flags) {
    // The last one's answer comes after the commit, so it stands for the whole.
    const bool is_last = &element == &elements.back() && (type == NFT_MSG_NEWSETELEM || !add);
    last = sequence_;
    nlmsghdr* message = begin_message(batch, uint16_t(NFNL_SUBSYS_NFTABLES << 8 | type), element.family,
                                      uint16_t(flags | (is_last ? NLM_F_ACK : 0)), sequence_++, 0);
    put_element(message, element, type == NFT_MSG_NEWSETELEM);
    mnl_nlmsg_batch_next(batch);
  };
  for (const SetElement& element : elements) {
    if (remove) put(element, NFT_MSG_DELSETELEM, 0);
    if (add) put(element, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
  }
  begin_message(batch, NFNL_MSG_BATCH_END, AF_UNSPEC, 0, sequence_++, NFNL_SUBSYS_NFTABLES);
  mnl_nlmsg_batch_next(batch);
  const ssize_t sent = send(fd_.get(), mnl_nlmsg_batch_head(batch), mnl_nlmsg_batch_size(batch), 0);
  const int send_error = sent < 0 ? errno : 0;
  mnl_nlmsg_batch_stop(batch);
  if (send_error != 0) return send_error;

  int result = 0;
  for (;;) {
    alignas(nlmsghdr) char answer[4096];
    const ssize_t n = recv(fd_.get(), answer, sizeof answer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return result != 0 ? result : errno;
    int left = int(n);
    for (const auto* message = reinterpret_cast<const nlmsghdr*>(answer); mnl_nlmsg_ok(message, left);
         message = mnl_nlmsg_next(message, &left)) {
      if (message->nlmsg_type != NLMSG_ERROR || int32_t(message->nlmsg_seq - first) < 0) continue;
      const int error = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(message))->error;
      if (error != 0 && result == 0) result = error;
      // Refused as a whole (no privilege): the answer is to the batch's beginning, and the only one.
      if (message->nlmsg_seq == last || message->nlmsg_seq == first) return result;
    }
  }
}

}  // namespace understudy::host
