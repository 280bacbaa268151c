// See classifier.h.
#include "net/classifier.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <functional>
#include <vector>

#include "common.h"

namespace understudy::host {
namespace {

constexpr size_t kBuffer = 32768;

struct Attached {
  int interface_index;
  uint32_t parent, info, handle;
  std::string name;
};

uint32_t parent_of(Hook hook) {
  return TC_H_MAKE(TC_H_CLSACT, hook == Hook::kIngress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
}

class Route {
 public:
  Route() : socket_(mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC)) {
    if (socket_ == nullptr || mnl_socket_bind(socket_, 0, MNL_SOCKET_AUTOPID) < 0)
      throw HostError("NET", errno, "", "cannot open a routing socket: " + errno_text(errno));
  }
  ~Route() {
    if (socket_ != nullptr) mnl_socket_close(socket_);
  }
  Route(const Route&) = delete;
  Route& operator=(const Route&) = delete;

  nlmsghdr* begin(uint16_t type, uint16_t flags, int interface_index, uint32_t parent, uint32_t handle, uint32_t info) {
    nlmsghdr* m = mnl_nlmsg_put_header(buffer_);
    m->nlmsg_type = type;
    m->nlmsg_flags = uint16_t(NLM_F_REQUEST | flags);
    m->nlmsg_seq = ++sequence_;
    auto* tc = static_cast<tcmsg*>(mnl_nlmsg_put_extra_header(m, sizeof(tcmsg)));
    tc->tcm_family = AF_UNSPEC;
    tc->tcm_ifindex = interface_index;
    tc->tcm_parent = parent;
    tc->tcm_handle = handle;
    tc->tcm_info = info;
    return m;
  }
  // 0 or an errno.
  int ask(const nlmsghdr* m, const std::function<void(const nlmsghdr*)>& each = {}) {
    if (mnl_socket_sendto(socket_, m, m->nlmsg_len) < 0) return errno;
    const uint32_t sequence = sequence_, port = mnl_socket_get_portid(socket_);
    alignas(nlmsghdr) char answer[kBuffer];
    for (;;) {
      const ssize_t n = mnl_socket_recvfrom(socket_, answer, sizeof answer);
      if (n < 0) return errno;
      const int result = mnl_cb_run(
          answer, size_t(n), sequence, port,
          [](const nlmsghdr* one, void* data) {
            const auto& f = *static_cast<const std::function<void(const nlmsghdr*)>*>(data);
            if (f) f(one);
            return MNL_CB_OK;
          },
          const_cast<std::function<void(const nlmsghdr*)>*>(&each));
      if (result < 0) return errno;
      if (result == MNL_CB_STOP) return 0;
    }
  }

  // Every BPF program at one hook of an interface.
  std::vector<Attached> list(int interface_index, Hook hook, size_t* others) {
    std::vector<Attached> all;
    const nlmsghdr* m = begin(RTM_GETTFILTER, NLM_F_DUMP, interface_index, parent_of(hook), 0, 0);
    const int error = ask(m, [&](const nlmsghdr* one) {
      if (one->nlmsg_type != RTM_NEWTFILTER) return;
      const auto* tc = static_cast<const tcmsg*>(mnl_nlmsg_get_payload(one));
      // The head of each priority is listed too, without a handle.
      if (tc->tcm_handle == 0) return;
      Attached found{tc->tcm_ifindex, tc->tcm_parent, tc->tcm_info, tc->tcm_handle, ""};
      mnl_attr_parse(
          one, sizeof(tcmsg),
          [](const nlattr* attribute, void* name) {
            if (mnl_attr_get_type(attribute) != TCA_OPTIONS) return MNL_CB_OK;
            return mnl_attr_parse_nested(
                attribute,
                [](const nlattr* option, void* to) {
                  if (mnl_attr_get_type(option) == TCA_BPF_NAME)
                    *static_cast<std::string*>(to) = mnl_attr_get_str(option);
                  return MNL_CB_OK;
                },
                name);
          },
          &found.name);
      all.push_back(std::move(found));
    });
    // Without a clsact there is nothing to list.
    if (error != 0 && error != EINVAL && error != ENOENT && error != ENODEV)
      throw HostError("NET", error, "", "cannot list the packet programs of an interface: " + errno_text(error));
    if (others != nullptr) *others = all.size();
    return all;
  }

 private:
  mnl_socket* socket_;
  uint32_t sequence_ = 0;
  alignas(nlmsghdr) char buffer_[8192]{};
};

[[noreturn]] void fail(const std::string& what, int interface_index, int error) {
  char name[IF_NAMESIZE] = "?";
  if_indextoname(unsigned(interface_index), name);
  throw HostError("NET", error, name, what + " interface " + name + ": " + errno_text(error));
}

}  // namespace

void prepare_interface(int interface_index) {
  Route route;
  nlmsghdr* m = route.begin(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, interface_index, TC_H_CLSACT,
                            TC_H_MAKE(TC_H_CLSACT, 0), 0);
  mnl_attr_put_strz(m, TCA_KIND, "clsact");
  if (const int error = route.ask(m); error != 0 && error != EEXIST)
    fail("cannot add a clsact to", interface_index, error);
}

void attach_classifier(int interface_index, Hook hook, int program_fd, const std::string& name) {
  prepare_interface(interface_index);
  Route route;
  nlmsghdr* m = nullptr;
  // Priority 0: the kernel chooses one.
  m = route.begin(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, interface_index, parent_of(hook), 0,
                  TC_H_MAKE(0, htons(ETH_P_ALL)));
  mnl_attr_put_strz(m, TCA_KIND, "bpf");
  nlattr* options = mnl_attr_nest_start(m, TCA_OPTIONS);
  mnl_attr_put_u32(m, TCA_BPF_FD, uint32_t(program_fd));
  mnl_attr_put_strz(m, TCA_BPF_NAME, name.c_str());
  mnl_attr_put_u32(m, TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
  mnl_attr_nest_end(m, options);
  if (const int error = route.ask(m); error != 0) fail("cannot attach a packet program to", interface_index, error);
}

void detach_classifiers(const std::string& name) {
  Route route;
  struct if_nameindex* interfaces = if_nameindex();
  if (interfaces == nullptr) throw HostError("NET", errno, "", "cannot list the interfaces: " + errno_text(errno));
  std::vector<int> indices;
  for (const struct if_nameindex* one = interfaces; one->if_index != 0; one++) indices.push_back(int(one->if_index));
  if_freenameindex(interfaces);
  for (const int index : indices) {
    size_t left = 0, removed = 0;
    for (const Hook hook : {Hook::kIngress, Hook::kEgress}) {
      size_t all = 0;
      for (const Attached& found : route.list(index, hook, &all)) {
        if (found.name != name) continue;
        nlmsghdr* m = route.begin(RTM_DELTFILTER, NLM_F_ACK, index, found.parent, found.handle, found.info);
        mnl_attr_put_strz(m, TCA_KIND, "bpf");
        const int error = route.ask(m);
        if (error != 0 && error != ENOENT) fail("cannot detach a packet program from", index, error);
        removed++;
        all--;
      }
      left += all;
    }
    if (removed == 0 || left != 0) continue;
    const nlmsghdr* m = route.begin(RTM_DELQDISC, NLM_F_ACK, index, TC_H_CLSACT, TC_H_MAKE(TC_H_CLSACT, 0), 0);
    const int error = route.ask(m);
    if (error != 0 && error != ENOENT && error != EINVAL) fail("cannot remove the clsact of", index, error);
  }
}

}  // namespace understudy::host
