// See orphans.h.
#include "net/orphans.h"

#include <linux/btf.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <unistd.h>

#include <cstddef>
#include <random>

#include "net/bpf.h"

namespace understudy::host {
namespace {

// The mark: upper bits ours; twelve that tell this object from others on this host; lowest twelve: which entry of the map.
constexpr uint32_t kMark = 0x05000000, kMarkBits = 12;
constexpr uint32_t kTcxIngress = 46;  // BPF_TCX_INGRESS; not in the headers of older distributions
constexpr uint32_t kEntries = 4096;
constexpr uint16_t kMssMin = 536;  // the kernel refuses less (IPv6: 1220)
constexpr uint16_t kMssMinV6 = 1220;
constexpr int kStateListen = 10;
constexpr uint64_t kAgainNs = 2'000'000, kAnswerNs = 200'000'000;
constexpr size_t kSegment = 16 * 1024;

// struct bpf_tcp_req_attrs of the kernel, and the answer of bpf_sk_assign_tcp_reqsk behind it.
struct Entry {
  uint32_t remote_tsval, local_tsval;
  uint16_t mss;
  uint8_t local_scale, remote_scale;
  uint8_t ecn, window_scale, sack, timestamps;
  uint8_t microseconds, reserved[3];
  int32_t answer;
};
constexpr int kAttrsSize = offsetof(Entry, answer);
static_assert(kAttrsSize == 20);
constexpr int32_t kNotSeen = 1;

// An acknowledgement of the handshake, as the client sent it, and the head of what it sent next.
TcpPacket packet_of(const Connection& c) {
  TcpPacket packet;
  packet.source = c.key.remote;
  packet.destination = c.key.local;
  packet.seq = c.remote_seq(0);
  packet.ack = c.local_seq(0);
  packet.flags = kAck;
  packet.window = uint16_t(
      std::min<uint32_t>(65535, c.window >> (c.has_window_scale() ? c.remote_options.window_scale : 0)));
  packet.options.timestamps = c.has_timestamps();
  packet.options.tsval = c.remote_tsval;
  packet.options.tsecr = c.fresh_tsval(monotonic_ns());
  return packet;
}

BpfAssembler make_program(uint8_t family, int map_fd, int btf_id, uint32_t mark) {
  // Registers 6 to 9 survive calls: 6 context, 7 the map's entry, 8 the listener. Stack: attributes, index, tuple.
  constexpr int16_t attrs = -24, index = -32, tuple = -72;
  const bool v4 = family == AF_INET;
  const int ethernet = 14, addresses = v4 ? 8 : 32;
  BpfAssembler a;
  const BpfAssembler::Label out = a.label();
  a.move(BPF_REG_6, BPF_REG_1);
  a.load(BPF_W, BPF_REG_2, BPF_REG_6, offsetof(__sk_buff, mark));
  a.move(BPF_REG_3, BPF_REG_2);
  a.alu(BPF_AND, BPF_REG_3, (1 << kMarkBits) - 1);
  a.alu(BPF_RSH, BPF_REG_2, kMarkBits);
  a.jump_if(BPF_JNE, BPF_REG_2, int32_t(mark >> kMarkBits), out);
  a.store(BPF_W, BPF_REG_10, index, BPF_REG_3);
  a.load_map(BPF_REG_1, map_fd);
  a.move(BPF_REG_2, BPF_REG_10);
  a.add(BPF_REG_2, index);
  a.call(BPF_FUNC_map_lookup_elem);
  a.jump_if(BPF_JEQ, BPF_REG_0, 0, out);
  a.move(BPF_REG_7, BPF_REG_0);
  for (int16_t at = 0; at < kAttrsSize; at = int16_t(at + 4)) {
    a.load(BPF_W, BPF_REG_1, BPF_REG_7, at);
    a.store(BPF_W, BPF_REG_10, int16_t(attrs + at), BPF_REG_1);
  }
  // Both addresses, then both ports, are in the order of bpf_sock_tuple. Our packets have no options before TCP.
  auto copy = [&](int from, int16_t to, int len) {
    a.move(BPF_REG_1, BPF_REG_6);
    a.set(BPF_REG_2, from);
    a.move(BPF_REG_3, BPF_REG_10);
    a.add(BPF_REG_3, to);
    a.set(BPF_REG_4, len);
    a.call(BPF_FUNC_skb_load_bytes);
    a.jump_if(BPF_JNE, BPF_REG_0, 0, out);
  };
  copy(ethernet + (v4 ? 12 : 8), tuple, addresses);
  copy(ethernet + (v4 ? 20 : 40), int16_t(tuple + addresses), 4);
  a.move(BPF_REG_1, BPF_REG_6);
  a.move(BPF_REG_2, BPF_REG_10);
  a.add(BPF_REG_2, tuple);
  a.set(BPF_REG_3, addresses + 4);
  a.set(BPF_REG_4, -1);  // this network namespace
  a.set(BPF_REG_5, 0);
  a.call(BPF_FUNC_sk_lookup_tcp);
  a.jump_if(BPF_JEQ, BPF_REG_0, 0, out);
  a.move(BPF_REG_8, BPF_REG_0);
  a.move(BPF_REG_1, BPF_REG_6);
  a.move(BPF_REG_2, BPF_REG_8);
  a.move(BPF_REG_3, BPF_REG_10);
  a.add(BPF_REG_3, attrs);
  a.set(BPF_REG_4, kAttrsSize);
  a.call_kernel(btf_id);
  a.store(BPF_W, BPF_REG_7, kAttrsSize, BPF_REG_0);
  a.move(BPF_REG_1, BPF_REG_8);
  a.call(BPF_FUNC_sk_release);
  a.bind(out);
  a.leave(-1);  // TCX_NEXT: go on as if this were not here
  return a;
}

}  // namespace

Orphans::Orphans(uint8_t family) : family_(family) {
  mark_ = kMark | (std::random_device{}() & 0xfff) << kMarkBits;
  load();
  if (!available()) return;
  sender_ = std::make_unique<RawSender>(family);
}

// The number under which the kernel describes its function to BPF programs; 0: it has none of that name.
int Orphans::find_kernel_function() {
  std::string btf;
  if (!read_file("/sys/kernel/btf/vmlinux", &btf) || btf.size() < sizeof(btf_header)) return 0;
  btf_header header;
  memcpy(&header, btf.data(), sizeof header);
  const size_t types = size_t(header.hdr_len) + header.type_off, strings = size_t(header.hdr_len) + header.str_off;
  if (header.magic != BTF_MAGIC || types + header.type_len > btf.size() || strings + header.str_len > btf.size())
    return 0;
  static constexpr char name[] = "bpf_sk_assign_tcp_reqsk";
  int id = 1;
  for (size_t at = types; at + sizeof(btf_type) <= types + header.type_len; id++) {
    btf_type type;
    memcpy(&type, btf.data() + at, sizeof type);
    at += sizeof type;
    const uint32_t kind = BTF_INFO_KIND(type.info), count = BTF_INFO_VLEN(type.info);
    switch (kind) {
      case BTF_KIND_INT: at += 4; break;
      case BTF_KIND_ARRAY: at += sizeof(btf_array); break;
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION: at += count * sizeof(btf_member); break;
      case BTF_KIND_ENUM: at += count * sizeof(btf_enum); break;
      case BTF_KIND_FUNC_PROTO: at += count * sizeof(btf_param); break;
      case BTF_KIND_VAR: at += sizeof(btf_var); break;
      case BTF_KIND_DATASEC: at += count * sizeof(btf_var_secinfo); break;
      case BTF_KIND_DECL_TAG: at += sizeof(btf_decl_tag); break;
      case BTF_KIND_ENUM64: at += count * sizeof(btf_enum64); break;
      case BTF_KIND_FUNC:
        if (type.name_off + sizeof name <= header.str_len &&
            memcmp(btf.data() + strings + type.name_off, name, sizeof name) == 0)
          return id;
        break;
      default: break;  // those without anything behind them
    }
  }
  return 0;
}

void Orphans::load() {
  const int btf_id = find_kernel_function();
  if (btf_id == 0) {
    why_not_ = "the kernel has no bpf_sk_assign_tcp_reqsk (Linux 6.9) or does not describe its types";
    return;
  }
  std::string cookies;
  if (!read_file("/proc/sys/net/ipv4/tcp_syncookies", &cookies) || cookies.starts_with("0")) {
    why_not_ = "net.ipv4.tcp_syncookies is 0";
    return;
  }
  map_ = BpfMap(BPF_MAP_TYPE_ARRAY, 4, sizeof(Entry), kEntries);
  if (!map_) {
    why_not_ = "BPF_MAP_CREATE: " + errno_text(errno);
    return;
  }
  program_ = make_program(family_, map_.fd(), btf_id, mark_).load_classifier(&why_not_);
  if (!program_) return;
  bpf_attr attr{};
  attr.link_create.prog_fd = uint32_t(program_.get());
  attr.link_create.target_ifindex = if_nametoindex("lo");
  attr.link_create.attach_type = kTcxIngress;
  link_ = UniqueFd(bpf(BPF_LINK_CREATE, &attr));
  diag_ = UniqueFd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!diag_) why_not_ = "cannot open a diagnosis socket: " + errno_text(errno);
  if (!link_) why_not_ = "BPF_LINK_CREATE on lo: " + errno_text(errno);
}

// Sends the acknowledgement that becomes the connection.
std::string Orphans::vouch(const Connection& c, uint32_t index) const {
  Entry entry{};
  entry.remote_tsval = c.remote_tsval;
  entry.local_tsval = c.fresh_tsval(monotonic_ns());
  entry.mss = std::max(c.remote_options.mss, family_ == AF_INET ? kMssMin : kMssMinV6);
  if (c.has_window_scale()) {
    entry.window_scale = 1;
    entry.local_scale = uint8_t(c.local_options.window_scale);
    entry.remote_scale = uint8_t(c.remote_options.window_scale);
  }
  entry.sack = c.has_sack();
  entry.timestamps = c.has_timestamps();
  entry.answer = kNotSeen;
  if (const int error = map_.put(&index, &entry)) return "BPF_MAP_UPDATE_ELEM: " + errno_text(-error);

  TcpPacket packet = packet_of(c);
  packet.options.tsecr = entry.local_tsval;
  sender_->mark(mark_ | index);
  const int error = sender_->send(packet);
  sender_->mark(0);
  return error == 0 ? "" : errno_text(error);
}

int32_t Orphans::answer(uint32_t index) const {
  Entry entry{};
  const int error = map_.get(&index, &entry);
  return error == 0 ? entry.answer : error;
}

// What the client has sent, in its own words.
std::string Orphans::send_input(const Connection& c) const {
  TcpPacket packet = packet_of(c);
  packet.flags = kAck | kPsh;
  for (auto rest = c.input.view(); !rest.empty();) {
    packet.payload = rest.first(std::min(rest.size(), kSegment));
    if (const int error = sender_->send(packet)) return errno_text(error);
    packet.seq += uint32_t(packet.payload.size());
    rest = rest.subspan(packet.payload.size());
  }
  return "";
}

int64_t Orphans::queued_bytes(const Connection& c) const {
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
  } message{};
  message.header.nlmsg_len = sizeof message;
  message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message.header.nlmsg_flags = NLM_F_REQUEST;
  inet_diag_req_v2& request = message.request;
  request.sdiag_family = family_;
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = ~0u;
  request.id.idiag_sport = htons(c.key.local.port);
  request.id.idiag_dport = htons(c.key.remote.port);
  memcpy(request.id.idiag_src, c.key.local.address.bytes.data(), 16);
  memcpy(request.id.idiag_dst, c.key.remote.address.bytes.data(), 16);
  request.id.idiag_cookie[0] = request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (send(diag_.get(), &message, sizeof message, 0) < 0) return -1;
  alignas(nlmsghdr) char buffer[8192];
  const ssize_t n = recv(diag_.get(), buffer, sizeof buffer, 0);
  const auto* answer = reinterpret_cast<const nlmsghdr*>(buffer);
  if (n < ssize_t(NLMSG_LENGTH(sizeof(inet_diag_msg))) || answer->nlmsg_type != SOCK_DIAG_BY_FAMILY) return -1;
  const auto* found = static_cast<const inet_diag_msg*>(NLMSG_DATA(answer));
  return found->idiag_state == kStateListen ? -1 : int64_t(found->idiag_rqueue);
}

std::vector<std::string> Orphans::put(const std::vector<const Connection*>& connections) {
  std::vector<std::string> why(connections.size(), available() ? "" : why_not_);
  if (!available()) return why;
  for (size_t begin = 0; begin < connections.size(); begin += kEntries) {
    const size_t end = std::min<size_t>(connections.size(), begin + kEntries);
    for (size_t i = begin; i < end; i++) why[i] = vouch(*connections[i], uint32_t(i - begin));
    // They pass lo in software interrupts, most of them before send() returned. Their bytes must not overtake them: the listener would
    // answer bytes of an unknown connection with a reset.
    uint64_t again_ns = monotonic_ns() + kAgainNs;
    const uint64_t deadline_ns = monotonic_ns() + kAnswerNs;
    for (size_t i = begin; i < end; i++) {
      if (!why[i].empty()) continue;
      int32_t result;
      while ((result = answer(uint32_t(i - begin))) == kNotSeen && monotonic_ns() < deadline_ns) {
        usleep(50);
        if (monotonic_ns() < again_ns) continue;
        vouch(*connections[i], uint32_t(i - begin));
        again_ns = monotonic_ns() + kAgainNs;
      }
      if (result == kNotSeen) why[i] = "it did not come in over lo";
      if (result < 0) why[i] = "bpf_sk_assign_tcp_reqsk: " + errno_text(-result);
    }
  }
  for (size_t i = 0; i < connections.size(); i++) {
    if (why[i].empty()) why[i] = send_input(*connections[i]);
  }
  const uint64_t deadline_ns = monotonic_ns() + kAnswerNs;
  for (size_t i = 0; i < connections.size(); i++) {
    if (!why[i].empty()) continue;
    int64_t queued;
    while ((queued = queued_bytes(*connections[i])) != int64_t(connections[i]->input.size()) &&
           monotonic_ns() < deadline_ns)
      usleep(50);
    if (queued < 0) why[i] = "there was no room in the accept queue";
    if (queued >= 0 && queued != int64_t(connections[i]->input.size()))
      why[i] = "only " + std::to_string(queued) + " of " + std::to_string(connections[i]->input.size()) +
               " bytes fit into its queue";
  }
  return why;
}

}  // namespace understudy::host
