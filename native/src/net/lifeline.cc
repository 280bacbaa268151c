// See lifeline.h.
#include "net/lifeline.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter_arp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/rules.h"

namespace understudy::host {
namespace {

constexpr uint32_t kOwner = 2;  // NFT_TABLE_F_OWNER, Linux 5.12
constexpr int kRealTimePriority = 20;
constexpr size_t kBufferBytes = 8192;

uint32_t be(uint32_t value) { return htonl(value); }

// One transaction: a table of the socket's, a chain, a rule that marks what is from the address.
class Batch {
 public:
  Batch() : batch_(mnl_nlmsg_batch_start(buffer_, kBufferBytes)) {
    begin(NFNL_MSG_BATCH_BEGIN, AF_UNSPEC, 0, NFNL_SUBSYS_NFTABLES);
    mnl_nlmsg_batch_next(batch_);
  }
  ~Batch() { mnl_nlmsg_batch_stop(batch_); }

  void table(uint8_t family, const char* name) {
    nlmsghdr* m = begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE, family, NLM_F_CREATE | NLM_F_ACK, 0);
    mnl_attr_put_strz(m, NFTA_TABLE_NAME, name);
    mnl_attr_put_u32(m, NFTA_TABLE_FLAGS, be(kOwner));
    mnl_nlmsg_batch_next(batch_);
  }

  void chain(uint8_t family, const char* name, const char* chain, uint32_t hook, int priority) {
    nlmsghdr* m = begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWCHAIN, family, NLM_F_CREATE, 0);
    mnl_attr_put_strz(m, NFTA_CHAIN_TABLE, name);
    mnl_attr_put_strz(m, NFTA_CHAIN_NAME, chain);
    nlattr* nest = mnl_attr_nest_start(m, NFTA_CHAIN_HOOK);
    mnl_attr_put_u32(m, NFTA_HOOK_HOOKNUM, be(hook));
    mnl_attr_put_u32(m, NFTA_HOOK_PRIORITY, be(uint32_t(priority)));
    mnl_attr_nest_end(m, nest);
    mnl_attr_put_strz(m, NFTA_CHAIN_TYPE, "filter");
    mnl_nlmsg_batch_next(batch_);
  }

  // nfproto (in inet tables, which see both), source address, mark := mark | kAliveMark.
  void rule(uint8_t family, const char* name, const Address& vip, uint32_t source_offset) {
    nlmsghdr* m = begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE, family, NLM_F_CREATE | NLM_F_APPEND, 0);
    mnl_attr_put_strz(m, NFTA_RULE_TABLE, name);
    mnl_attr_put_strz(m, NFTA_RULE_CHAIN, "out");
    nlattr* list = mnl_attr_nest_start(m, NFTA_RULE_EXPRESSIONS);
    if (family == NFPROTO_INET) {
      meta(m, NFT_META_NFPROTO, true);
      const uint8_t protocol = vip.family == AF_INET ? NFPROTO_IPV4 : NFPROTO_IPV6;
      compare(m, &protocol, sizeof protocol);
    }
    expression(m, "payload", [&] {
      mnl_attr_put_u32(m, NFTA_PAYLOAD_DREG, be(NFT_REG_1));
      mnl_attr_put_u32(m, NFTA_PAYLOAD_BASE, be(NFT_PAYLOAD_NETWORK_HEADER));
      mnl_attr_put_u32(m, NFTA_PAYLOAD_OFFSET, be(source_offset));
      mnl_attr_put_u32(m, NFTA_PAYLOAD_LEN, be(uint32_t(vip.size())));
    });
    compare(m, vip.bytes.data(), vip.size());
    meta(m, NFT_META_MARK, true);
    // (mark & mask) ^ bits
    const uint32_t mask = ~kAliveMark, bits = kAliveMark;
    expression(m, "bitwise", [&] {
      mnl_attr_put_u32(m, NFTA_BITWISE_SREG, be(NFT_REG_1));
      mnl_attr_put_u32(m, NFTA_BITWISE_DREG, be(NFT_REG_1));
      mnl_attr_put_u32(m, NFTA_BITWISE_LEN, be(sizeof mask));
      data(m, NFTA_BITWISE_MASK, &mask, sizeof mask);
      data(m, NFTA_BITWISE_XOR, &bits, sizeof bits);
    });
    meta(m, NFT_META_MARK, false);
    mnl_attr_nest_end(m, list);
    mnl_nlmsg_batch_next(batch_);
  }

  // What has the flows' mark gets the gate's.
  void accept_flows(const char* name) {
    nlmsghdr* m = begin(NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWRULE, NFPROTO_INET, NLM_F_CREATE | NLM_F_APPEND, 0);
    mnl_attr_put_strz(m, NFTA_RULE_TABLE, name);
    mnl_attr_put_strz(m, NFTA_RULE_CHAIN, "in");
    nlattr* list = mnl_attr_nest_start(m, NFTA_RULE_EXPRESSIONS);
    meta(m, NFT_META_MARK, true);
    compare(m, &kFlowMark, sizeof kFlowMark);
    expression(m, "immediate", [&] {
      mnl_attr_put_u32(m, NFTA_IMMEDIATE_DREG, be(NFT_REG_1));
      data(m, NFTA_IMMEDIATE_DATA, &kAcceptedMark, sizeof kAcceptedMark);
    });
    meta(m, NFT_META_MARK, false);
    mnl_attr_nest_end(m, list);
    mnl_nlmsg_batch_next(batch_);
  }

  // 0 or an errno.
  int send(int fd) {
    begin(NFNL_MSG_BATCH_END, AF_UNSPEC, 0, NFNL_SUBSYS_NFTABLES);
    mnl_nlmsg_batch_next(batch_);
    if (::send(fd, mnl_nlmsg_batch_head(batch_), mnl_nlmsg_batch_size(batch_), 0) < 0) return errno;
    // Everything is answered before send() returns: the acknowledgements of the tables come with the commit, or errors.
    alignas(nlmsghdr) char answer[8192];
    int result = 0;
    bool any = false;
    for (ssize_t n; (n = recv(fd, answer, sizeof answer, MSG_DONTWAIT)) > 0;) {
      int left = int(n);
      for (const auto* m = reinterpret_cast<const nlmsghdr*>(answer); mnl_nlmsg_ok(m, left);
           m = mnl_nlmsg_next(m, &left)) {
        if (m->nlmsg_type != NLMSG_ERROR) continue;
        any = true;
        const int error = -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(m))->error;
        if (error != 0 && result == 0) result = error;
      }
    }
    return any ? result : ENOMSG;
  }

 private:
  nlmsghdr* begin(int type, uint8_t family, int flags, uint16_t res_id) {
    nlmsghdr* m = mnl_nlmsg_put_header(mnl_nlmsg_batch_current(batch_));
    m->nlmsg_type = uint16_t(type);
    m->nlmsg_flags = uint16_t(NLM_F_REQUEST | flags);
    m->nlmsg_seq = sequence_++;
    auto* header = static_cast<nfgenmsg*>(mnl_nlmsg_put_extra_header(m, sizeof(nfgenmsg)));
    header->nfgen_family = family;
    header->version = NFNETLINK_V0;
    header->res_id = htons(res_id);
    return m;
  }
  template <class Body>
  void expression(nlmsghdr* m, const char* name, Body body) {
    nlattr* one = mnl_attr_nest_start(m, NFTA_LIST_ELEM);
    mnl_attr_put_strz(m, NFTA_EXPR_NAME, name);
    nlattr* nest = mnl_attr_nest_start(m, NFTA_EXPR_DATA);
    body();
    mnl_attr_nest_end(m, nest);
    mnl_attr_nest_end(m, one);
  }
  void data(nlmsghdr* m, uint16_t attribute, const void* value, size_t bytes) {
    nlattr* nest = mnl_attr_nest_start(m, attribute);
    mnl_attr_put(m, NFTA_DATA_VALUE, bytes, value);
    mnl_attr_nest_end(m, nest);
  }
  void compare(nlmsghdr* m, const void* value, size_t bytes) {
    expression(m, "cmp", [&] {
      mnl_attr_put_u32(m, NFTA_CMP_SREG, be(NFT_REG_1));
      mnl_attr_put_u32(m, NFTA_CMP_OP, be(NFT_CMP_EQ));
      data(m, NFTA_CMP_DATA, value, bytes);
    });
  }
  void meta(nlmsghdr* m, uint32_t key, bool load) {
    expression(m, "meta", [&] {
      mnl_attr_put_u32(m, NFTA_META_KEY, be(key));
      mnl_attr_put_u32(m, load ? NFTA_META_DREG : NFTA_META_SREG, be(NFT_REG_1));
    });
  }

  alignas(nlmsghdr) char buffer_[kBufferBytes * 2];
  mnl_nlmsg_batch* batch_;
  uint32_t sequence_ = 1;
};

}  // namespace

Lifeline::Lifeline(const std::string& table, const Address& vip) {
  thread_ = start_thread("us-lifeline", [this, table, vip] { run(table, vip); });
  while (load_acquire(state_) == 0) futex_wait(&state_, 0, 100);
  if (state_ == 1) return;
  thread_.join();
  throw HostError("NET", error_, table, failed_ + ": " + errno_text(error_));
}

Lifeline::~Lifeline() {
  store_release(stopping_, 1u);
  futex_wake_all(&stopping_);
  thread_.join();
}

void Lifeline::say(int error, const std::string& what) {
  error_ = error;
  failed_ = what;
  store_release(state_, error == 0 && what.empty() ? 1u : 2u);
  futex_wake_all(&state_);
}

void Lifeline::run(const std::string& table, const Address& vip) {
  // A table of its own, with nothing of the process in it: what this thread would keep open, nobody would see closed.
  if (unshare(CLONE_FILES) != 0) return say(errno, "cannot take a descriptor table of its own");
  if (syscall(SYS_close_range, 0u, ~0u, 0u) != 0) return say(errno, "cannot close what is not its own");
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    return say(errno, "cannot open a netfilter socket");
  // At once, whatever else wants to run: nothing may leave before this thread has ended.
  const sched_param urgent{kRealTimePriority};
  pthread_setschedparam(pthread_self(), SCHED_FIFO, &urgent);
  Batch batch;
  constexpr uint32_t kArpSource = 14;  // behind the fixed part and the hardware address
  batch.table(NFPROTO_INET, table.c_str());
  batch.chain(NFPROTO_INET, table.c_str(), "out", NF_INET_LOCAL_OUT, kFencePriority - 1);
  batch.rule(NFPROTO_INET, table.c_str(), vip, vip.family == AF_INET ? 12 : 8);
  batch.chain(NFPROTO_INET, table.c_str(), "in", NF_INET_LOCAL_IN, kFlowPriority);
  batch.accept_flows(table.c_str());
  if (vip.family == AF_INET) {
    batch.table(NFPROTO_ARP, table.c_str());
    batch.chain(NFPROTO_ARP, table.c_str(), "out", NF_ARP_OUT, kArpFencePriority - 1);
    batch.rule(NFPROTO_ARP, table.c_str(), vip, kArpSource);
  }
  if (const int error = batch.send(fd); error != 0) {
    close(fd);
    return say(error, "cannot install the lifeline");
  }
  say(0, "");
  while (load_acquire(stopping_) == 0) futex_wait(&stopping_, 0, -1);
  close(fd);
}

}  // namespace understudy::host
