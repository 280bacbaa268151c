// See admission.h.
#include "net/admission.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/btf.h>
#include <linux/netfilter.h>
#include <net/if.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace understudy::host {
namespace {

constexpr uint32_t kExpectedMax = 4096;  // the largest backlog that is usual
constexpr uint32_t kTcxIngress = 46;     // BPF_TCX_INGRESS, Linux 6.6
constexpr int kTcxNext = -1;
constexpr size_t kPiece = 1400;
constexpr char kKfunc[] = "bpf_sk_assign_tcp_reqsk";
constexpr char kBtfPath[] = "/sys/kernel/btf/vmlinux";

// struct bpf_tcp_req_attrs of the kernel: what its own handshake would have found out.
struct Attributes {
  uint32_t remote_tsval, local_tsval;
  uint16_t mss;
  uint8_t local_scale, remote_scale;
  uint8_t ecn, window_scale, sack, timestamps, microseconds;
  uint8_t reserved[3];
};
static_assert(sizeof(Attributes) == 20);

// struct bpf_sock_tuple: as in a packet of the client's.
struct Tuple {
  std::array<uint8_t, 36> bytes{};
  size_t size;
  explicit Tuple(const FlowKey& key) : size(key.remote.address.size() * 2 + 4) {
    const size_t n = key.remote.address.size();
    memcpy(bytes.data(), key.remote.address.bytes.data(), n);
    memcpy(bytes.data() + n, key.local.address.bytes.data(), n);
    const uint16_t ports[2] = {htons(key.remote.port), htons(key.local.port)};
    memcpy(bytes.data() + 2 * n, ports, sizeof ports);
  }
};

// As nftables puts a concatenation: each part to a multiple of four bytes.
std::vector<uint8_t> hold_key(const FlowKey& key) {
  const size_t n = key.remote.address.size();
  std::vector<uint8_t> out(n + 4);
  memcpy(out.data(), key.remote.address.bytes.data(), n);
  const uint16_t port = htons(key.remote.port);
  memcpy(out.data() + n, &port, sizeof port);
  return out;
}

[[noreturn]] void lacking(const std::string& what, int error) {
  throw HostError("NET", error, "", what + (error != 0 ? ": " + errno_text(error) : ""));
}

int bpf(int command, bpf_attr& attributes) {
  const long result = syscall(SYS_bpf, command, &attributes, sizeof attributes);
  return result < 0 ? -errno : int(result);
}

// The number of a kernel function among the kernel's types. They are numbered by their order, and each says how long it is.
uint32_t find_kfunc() {
  std::string btf;
  if (!read_file(kBtfPath, &btf)) lacking(std::string(kBtfPath) + " is missing: the kernel has no BTF", 0);
  btf_header header;
  if (btf.size() < sizeof header) lacking(std::string(kBtfPath) + " is cut short", 0);
  memcpy(&header, btf.data(), sizeof header);
  const size_t types = size_t(header.hdr_len) + header.type_off, strings = size_t(header.hdr_len) + header.str_off;
  if (header.magic != BTF_MAGIC || types + header.type_len > btf.size() || strings + header.str_len > btf.size())
    lacking(std::string(kBtfPath) + " is not what it should be", 0);
  const std::string_view names(btf.data() + strings, header.str_len);
  uint32_t id = 0;
  for (size_t at = types; at + sizeof(btf_type) <= types + header.type_len;) {
    btf_type type;
    memcpy(&type, btf.data() + at, sizeof type);
    at += sizeof type;
    id++;
    const uint32_t kind = type.info >> 24 & 31, count = type.info & 0xffff;
    if (kind == BTF_KIND_FUNC && type.name_off < names.size() && names.substr(type.name_off).starts_with(kKfunc) &&
        names[type.name_off + sizeof kKfunc - 1] == 0)
      return id;
    switch (kind) {
      case BTF_KIND_INT:
      case BTF_KIND_VAR:
      case BTF_KIND_DECL_TAG: at += 4; break;
      case BTF_KIND_ARRAY: at += sizeof(btf_array); break;
      case BTF_KIND_STRUCT:
      case BTF_KIND_UNION: at += count * sizeof(btf_member); break;
      case BTF_KIND_ENUM: at += count * sizeof(btf_enum); break;
      case BTF_KIND_ENUM64: at += count * sizeof(btf_enum64); break;
      case BTF_KIND_FUNC_PROTO: at += count * sizeof(btf_param); break;
      case BTF_KIND_DATASEC: at += count * sizeof(btf_var_secinfo); break;
      default: break;
    }
  }
  lacking("the kernel has no " + std::string(kKfunc) + " (Linux 6.9 and newer do)", 0);
}

constexpr bpf_insn insn(uint8_t code, uint8_t to, uint8_t from, int16_t offset, int32_t value) {
  bpf_insn i{};
  i.code = code;
  i.dst_reg = to & 15;
  i.src_reg = from & 15;
  i.off = offset;
  i.imm = value;
  return i;
}
constexpr bpf_insn set(uint8_t to, int32_t value) { return insn(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value); }
constexpr bpf_insn copy(uint8_t to, uint8_t from) { return insn(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0); }
constexpr bpf_insn add(uint8_t to, int32_t value) { return insn(BPF_ALU64 | BPF_ADD | BPF_K, to, 0, 0, value); }
constexpr bpf_insn call(int32_t helper) { return insn(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }

// tuple = (addresses, ports) of the packet; if (attributes = map[tuple]) the listener that it is for gets a request with them.
std::vector<bpf_insn> program(uint8_t family, int map, uint32_t kfunc) {
  const bool v4 = family == AF_INET;
  constexpr int kEthernet = 14;
  const int addresses_at = kEthernet + (v4 ? 12 : 8), addresses_len = v4 ? 8 : 32;
  const int ports_at = kEthernet + (v4 ? 20 : 40), tuple_len = addresses_len + 4;
  const int tuple = -(tuple_len + 7) / 8 * 8;
  std::vector<bpf_insn> code;
  std::vector<size_t> to_end;
  auto unless = [&](uint8_t condition) {
    to_end.push_back(code.size());
    code.push_back(insn(BPF_JMP | condition | BPF_K, 0, 0, 0, 0));
  };
  auto emit = [&](std::initializer_list<bpf_insn> more) { code.insert(code.end(), more); };
  emit({copy(6, 1)});
  emit({copy(1, 6), set(2, addresses_at), copy(3, 10), add(3, tuple), set(4, addresses_len), call(BPF_FUNC_skb_load_bytes)});
  unless(BPF_JNE);
  emit({copy(1, 6), set(2, ports_at), copy(3, 10), add(3, tuple + addresses_len), set(4, 4), call(BPF_FUNC_skb_load_bytes)});
  unless(BPF_JNE);
  emit({insn(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map), insn(0, 0, 0, 0, 0), copy(2, 10), add(2, tuple),
        call(BPF_FUNC_map_lookup_elem)});
  unless(BPF_JEQ);
  emit({copy(7, 0), copy(1, 6), copy(2, 10), add(2, tuple), set(3, tuple_len), set(4, BPF_F_CURRENT_NETNS), set(5, 0),
        call(BPF_FUNC_skc_lookup_tcp)});
  unless(BPF_JEQ);
  emit({copy(8, 0), copy(1, 8), call(BPF_FUNC_skc_to_tcp_sock)});
  // Nothing that listens: only to be let go.
  emit({insn(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 5, 0)});
  emit({copy(1, 6), copy(2, 0), copy(3, 7), set(4, sizeof(Attributes)),
        insn(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, int32_t(kfunc))});
  emit({copy(1, 8), call(BPF_FUNC_sk_release)});
  for (const size_t at : to_end) code[at].off = int16_t(code.size() - at - 1);
  emit({set(0, kTcxNext), insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)});
  return code;
}

TcpPacket from_client(const Connection& c, uint8_t flags, uint64_t offset, uint32_t tsval) {
  TcpPacket packet;
  packet.source = c.key.remote;
  packet.destination = c.key.local;
  packet.seq = c.remote_seq(offset);
  packet.ack = c.local_seq(0);
  packet.flags = flags;
  packet.window = uint16_t(std::min<uint32_t>(65535, c.window >> (c.has_window_scale() ? c.remote_options.window_scale : 0)));
  packet.options.timestamps = c.has_timestamps();
  packet.options.tsval = c.remote_tsval;
  packet.options.tsecr = tsval;
  return packet;
}

}  // namespace

Admission::Admission(uint8_t family, std::string hold_table) : hold_table_(std::move(hold_table)) {
  std::string cookies;
  // What a listener does with a request from the outside depends on it, too.
  if (read_file("/proc/sys/net/ipv4/tcp_syncookies", &cookies) && cookies.starts_with("0"))
    lacking("net.ipv4.tcp_syncookies is 0", 0);
  const uint32_t kfunc = find_kfunc();
  bpf_attr attr{};
  attr.map_type = BPF_MAP_TYPE_HASH;
  attr.key_size = family == AF_INET ? 12 : 36;
  attr.value_size = sizeof(Attributes);
  attr.max_entries = kExpectedMax;
  int result = bpf(BPF_MAP_CREATE, attr);
  if (result < 0) lacking("cannot make a BPF map", -result);
  map_ = UniqueFd(result);

  const std::vector<bpf_insn> code = program(family, map_.get(), kfunc);
  std::vector<char> log(16 << 10);
  attr = {};
  attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
  attr.expected_attach_type = kTcxIngress;
  attr.insns = uint64_t(code.data());
  attr.insn_cnt = uint32_t(code.size());
  attr.license = uint64_t("Dual MIT/GPL");  // the kernel lets nothing else call its functions
  memcpy(attr.prog_name, "us_admission", sizeof "us_admission");
  result = bpf(BPF_PROG_LOAD, attr);
  if (result < 0) {
    const int error = -result;
    attr.log_level = 1;
    attr.log_buf = uint64_t(log.data());
    attr.log_size = uint32_t(log.size());
    bpf(BPF_PROG_LOAD, attr);
    // The verifier's last words are its reason.
    std::string why(log.data());
    why = why.substr(why.size() > 300 ? why.size() - 300 : 0);
    lacking("the kernel refuses the admission's BPF program (" + errno_text(error) + "): " + why, 0);
  }
  program_ = UniqueFd(result);

  attr = {};
  attr.link_create.prog_fd = uint32_t(program_.get());
  attr.link_create.target_ifindex = if_nametoindex("lo");
  attr.link_create.attach_type = kTcxIngress;
  result = bpf(BPF_LINK_CREATE, attr);
  if (result < 0) lacking("cannot attach a BPF program to lo", -result);
  link_ = UniqueFd(result);
}

std::string Admission::expect(const Connection& c, uint32_t tsval) {
  Attributes attributes{};
  attributes.remote_tsval = c.remote_tsval;
  attributes.local_tsval = tsval;
  attributes.mss = c.remote_options.mss;
  attributes.window_scale = c.has_window_scale();
  attributes.local_scale = uint8_t(std::max<int>(0, c.local_options.window_scale));
  attributes.remote_scale = uint8_t(std::max<int>(0, c.remote_options.window_scale));
  attributes.sack = c.has_sack();
  attributes.timestamps = c.has_timestamps();
  const Tuple tuple(c.key);
  bpf_attr attr{};
  attr.map_fd = uint32_t(map_.get());
  attr.key = uint64_t(tuple.bytes.data());
  attr.value = uint64_t(&attributes);
  if (const int result = bpf(BPF_MAP_UPDATE_ELEM, attr); result < 0) return "admission: " + errno_text(-result);
  const std::vector<uint8_t> key = hold_key(c.key);
  const SetElement element{NFPROTO_INET, hold_table_.c_str(), "held", key, 0};
  if (const int error = sets_.put({&element, 1}); error != 0) return "holding its packets: " + errno_text(error);
  return "";
}

std::string Admission::admit(const Connection& c, uint32_t tsval, const RawSender& sender) {
  if (const int error = sender.send(from_client(c, kAck, 0, tsval)); error != 0) return "admission: " + errno_text(error);
  for (std::span<const uint8_t> rest = c.input.view(); !rest.empty();) {
    TcpPacket packet = from_client(c, kAck | kPsh, c.received - rest.size(), tsval);
    packet.payload = rest.first(std::min(rest.size(), kPiece));
    if (const int error = sender.send(packet); error != 0) return "giving it its input: " + errno_text(error);
    rest = rest.subspan(packet.payload.size());
  }
  if (c.all_received()) sender.send(from_client(c, kFin | kAck, c.received, tsval));
  return "";
}

void Admission::release(const Connection& c) {
  const Tuple tuple(c.key);
  bpf_attr attr{};
  attr.map_fd = uint32_t(map_.get());
  attr.key = uint64_t(tuple.bytes.data());
  bpf(BPF_MAP_DELETE_ELEM, attr);
  const std::vector<uint8_t> key = hold_key(c.key);
  const SetElement element{NFPROTO_INET, hold_table_.c_str(), "held", key, 0};
  sets_.remove({&element, 1});
}

}  // namespace understudy::host
