// See flow_filter.h.
#include "net/flow_filter.h"

#include <arpa/inet.h>
#include <net/if_arp.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <cstddef>

#include "net/bpf.h"
#include "net/classifier.h"

namespace understudy::host {
namespace {

constexpr uint32_t kEntries = 32768;
// Remote address, local address, remote port, local port, as in packets.
struct Key {
  uint8_t bytes[36];
};
size_t key_bytes(uint8_t family) { return family == AF_INET ? 12 : 36; }

Key key_of(const FlowKey& flow) {
  Key key{};
  const size_t size = flow.remote.address.size();
  memcpy(key.bytes, flow.remote.address.bytes.data(), size);
  memcpy(key.bytes + size, flow.local.address.bytes.data(), size);
  const uint16_t ports[2] = {htons(flow.remote.port), htons(flow.local.port)};
  memcpy(key.bytes + 2 * size, ports, sizeof ports);
  return key;
}

std::string name_of(const std::string& service) { return "understudy:" + service; }

// ---- The programs ------------------------------------------------------------------------------------------------------
// Registers that survive calls: 6 the packet, 7 the entry, 8 where TCP begins behind the network header, 9 the length of its header.
constexpr int16_t kIp = -40, kTcp = -72, kKey = -112, kIndex = -120, kWord = -124;
constexpr int32_t kEthernet = 14;
constexpr int kTcpBase = 20, kTimestampsEnd = 32;

struct Program {
  BpfAssembler a;
  BpfAssembler::Label out = a.label();

  // Bytes behind the network header, to the stack; at: a constant, or register 8 and a constant.
  void copy(bool behind_ip, int32_t at, int16_t to, int32_t bytes, BpfAssembler::Label otherwise) {
    a.move(BPF_REG_1, BPF_REG_6);
    if (behind_ip) {
      a.move(BPF_REG_2, BPF_REG_8);
      a.add(BPF_REG_2, at);
    } else {
      a.set(BPF_REG_2, at);
    }
    a.move(BPF_REG_3, BPF_REG_10);
    a.add(BPF_REG_3, to);
    a.set(BPF_REG_4, bytes);
    a.set(BPF_REG_5, BPF_HDR_START_NET);
    a.call(BPF_FUNC_skb_load_bytes_relative);
    a.jump_if(BPF_JNE, BPF_REG_0, 0, otherwise);
  }
  void on_stack(uint8_t size, int16_t from, int16_t to) {
    a.load(size, BPF_REG_1, BPF_REG_10, from);
    a.store(size, BPF_REG_10, to, BPF_REG_1);
  }

  // Leaves by `out` unless the packet belongs to an entry.
  void find(uint8_t family, Hook hook, int index_fd, int entries_fd) {
    const bool v4 = family == AF_INET, in = hook == Hook::kIngress;
    a.move(BPF_REG_6, BPF_REG_1);
    a.load(BPF_W, BPF_REG_2, BPF_REG_6, offsetof(__sk_buff, protocol));
    a.jump_if(BPF_JNE, BPF_REG_2, htons(v4 ? ETH_P_IP : ETH_P_IPV6), out);
    copy(false, 0, kIp, v4 ? 20 : 40, out);
    a.load(BPF_B, BPF_REG_2, BPF_REG_10, int16_t(kIp + (v4 ? 9 : 6)));
    a.jump_if(BPF_JNE, BPF_REG_2, IPPROTO_TCP, out);
    if (v4) {
      // A part of a larger packet: only the first has TCP's header.
      a.load(BPF_H, BPF_REG_2, BPF_REG_10, kIp + 6);
      a.jump_if(BPF_JSET, BPF_REG_2, htons(0x3fff), out);
      a.load(BPF_B, BPF_REG_8, BPF_REG_10, kIp);
      a.alu(BPF_AND, BPF_REG_8, 15);
      a.alu(BPF_LSH, BPF_REG_8, 2);
    } else {
      a.set(BPF_REG_8, 40);
    }
    copy(true, 0, kTcp, kTcpBase, out);
    const int bytes = v4 ? 4 : 16, source = kIp + (v4 ? 12 : 8), destination = source + bytes;
    for (int i = 0; i < bytes; i += 4) {
      on_stack(BPF_W, int16_t((in ? source : destination) + i), int16_t(kKey + i));
      on_stack(BPF_W, int16_t((in ? destination : source) + i), int16_t(kKey + bytes + i));
    }
    on_stack(BPF_H, in ? kTcp : kTcp + 2, int16_t(kKey + 2 * bytes));
    on_stack(BPF_H, in ? kTcp + 2 : kTcp, int16_t(kKey + 2 * bytes + 2));
    a.load_map(BPF_REG_1, index_fd);
    a.move(BPF_REG_2, BPF_REG_10);
    a.add(BPF_REG_2, kKey);
    a.call(BPF_FUNC_map_lookup_elem);
    a.jump_if(BPF_JEQ, BPF_REG_0, 0, out);
    a.load(BPF_W, BPF_REG_1, BPF_REG_0, 0);
    a.store(BPF_W, BPF_REG_10, kIndex, BPF_REG_1);
    a.load_map(BPF_REG_1, entries_fd);
    a.move(BPF_REG_2, BPF_REG_10);
    a.add(BPF_REG_2, kIndex);
    a.call(BPF_FUNC_map_lookup_elem);
    a.jump_if(BPF_JEQ, BPF_REG_0, 0, out);
    a.move(BPF_REG_7, BPF_REG_0);
    a.load(BPF_B, BPF_REG_9, BPF_REG_10, kTcp + 12);
    a.alu(BPF_RSH, BPF_REG_9, 4);
    a.alu(BPF_LSH, BPF_REG_9, 2);
  }

  // A 32-bit number of the TCP header, in host order.
  void number(uint8_t dst, int at) {
    a.load(BPF_W, dst, BPF_REG_10, int16_t(kTcp + at));
    a.swap(dst, 32);
  }

  // Number (register 3) and window to a pair of words, unless a later number is there already.
  void note(size_t words, size_t valid) {
    const auto skip = a.label(), first = a.label();
    a.load(BPF_W, BPF_REG_1, BPF_REG_7, int16_t(valid));
    a.jump_if(BPF_JEQ, BPF_REG_1, 0, first);
    a.load(BPF_DW, BPF_REG_1, BPF_REG_7, int16_t(words));
    a.alu(BPF_RSH, BPF_REG_1, 32);
    a.move(BPF_REG_2, BPF_REG_3);
    a.alu32_reg(BPF_SUB, BPF_REG_2, BPF_REG_1);
    a.jump32_if(BPF_JSLT, BPF_REG_2, 0, skip);
    a.bind(first);
    a.load(BPF_H, BPF_REG_1, BPF_REG_10, kTcp + 14);
    a.swap(BPF_REG_1, 16);
    a.alu(BPF_LSH, BPF_REG_3, 32);
    a.alu_reg(BPF_OR, BPF_REG_3, BPF_REG_1);
    a.store(BPF_DW, BPF_REG_7, int16_t(words), BPF_REG_3);
    a.store_imm(BPF_W, BPF_REG_7, int16_t(valid), 1);
    a.bind(skip);
  }

  // Linux, and nearly everybody, has them behind two bytes of padding and before everything else.
  void note_timestamps(size_t words) {
    const auto skip = a.label();
    a.jump_if(BPF_JLT, BPF_REG_9, kTimestampsEnd, skip);
    copy(true, kTcpBase, kTcp + kTcpBase, kTimestampsEnd - kTcpBase, skip);
    a.load(BPF_W, BPF_REG_1, BPF_REG_10, kTcp + kTcpBase);
    a.jump32_if(BPF_JNE, BPF_REG_1, int32_t(htonl(0x0101080a)), skip);
    number(BPF_REG_1, kTcpBase + 4);
    number(BPF_REG_2, kTcpBase + 8);
    a.alu(BPF_LSH, BPF_REG_1, 32);
    a.alu_reg(BPF_OR, BPF_REG_1, BPF_REG_2);
    a.store(BPF_DW, BPF_REG_7, int16_t(words), BPF_REG_1);
    a.bind(skip);
  }
};

UniqueFd load_ingress(uint8_t family, int index_fd, int entries_fd, std::string* why) {
  Program p;
  BpfAssembler& a = p.a;
  p.find(family, Hook::kIngress, index_fd, entries_fd);
  a.load(BPF_B, BPF_REG_2, BPF_REG_10, kTcp + 13);
  a.jump_if(BPF_JSET, BPF_REG_2, kSyn | kFin | kRst, p.out);
  a.alu(BPF_AND, BPF_REG_2, kAck);
  a.jump_if(BPF_JEQ, BPF_REG_2, 0, p.out);
  p.number(BPF_REG_3, 8);
  p.note(offsetof(FlowEntry, in_ack_window), offsetof(FlowEntry, in_valid));
  p.note_timestamps(offsetof(FlowEntry, in_timestamps));
  a.store_imm(BPF_W, BPF_REG_7, offsetof(FlowEntry, seen), 1);
  a.load(BPF_W, BPF_REG_1, BPF_REG_7, offsetof(FlowEntry, bypass));
  a.jump_if(BPF_JEQ, BPF_REG_1, 0, p.out);
  a.set(BPF_REG_1, int32_t(kFlowMark));
  a.store(BPF_W, BPF_REG_6, offsetof(__sk_buff, mark), BPF_REG_1);
  a.bind(p.out);
  a.leave(TC_ACT_UNSPEC);
  return a.load_classifier(why);
}

UniqueFd load_egress(uint8_t family, int index_fd, int entries_fd, std::string* why) {
  Program p;
  BpfAssembler& a = p.a;
  const auto has_payload = a.label(), refuse = a.label();
  p.find(family, Hook::kEgress, index_fd, entries_fd);
  a.load(BPF_B, BPF_REG_2, BPF_REG_10, kTcp + 13);
  a.jump_if(BPF_JSET, BPF_REG_2, kSyn | kRst, p.out);
  // What follows the header, FIN included, in kWord.
  a.load(BPF_W, BPF_REG_4, BPF_REG_6, offsetof(__sk_buff, len));
  a.add(BPF_REG_4, -kEthernet);
  a.alu_reg(BPF_SUB, BPF_REG_4, BPF_REG_8);
  a.alu_reg(BPF_SUB, BPF_REG_4, BPF_REG_9);
  a.move(BPF_REG_1, BPF_REG_2);
  a.alu(BPF_AND, BPF_REG_1, kFin);
  a.alu_reg(BPF_ADD, BPF_REG_4, BPF_REG_1);
  a.store(BPF_W, BPF_REG_10, kWord, BPF_REG_4);
  p.number(BPF_REG_3, 4);
  a.alu32_reg(BPF_ADD, BPF_REG_3, BPF_REG_4);
  p.note(offsetof(FlowEntry, out_next_window), offsetof(FlowEntry, out_valid));
  p.note_timestamps(offsetof(FlowEntry, out_timestamps));
  a.load(BPF_W, BPF_REG_1, BPF_REG_7, offsetof(FlowEntry, clamp));
  a.jump_if(BPF_JEQ, BPF_REG_1, 0, p.out);
  a.load(BPF_B, BPF_REG_2, BPF_REG_10, kTcp + 13);
  a.alu(BPF_AND, BPF_REG_2, kAck);
  a.jump_if(BPF_JEQ, BPF_REG_2, 0, p.out);
  p.number(BPF_REG_3, 8);
  a.load(BPF_W, BPF_REG_9, BPF_REG_7, offsetof(FlowEntry, held));
  a.move(BPF_REG_4, BPF_REG_3);
  a.alu32_reg(BPF_SUB, BPF_REG_4, BPF_REG_9);
  a.jump32_if(BPF_JSLE, BPF_REG_4, 0, p.out);
  a.store(BPF_W, BPF_REG_7, offsetof(FlowEntry, want), BPF_REG_3);
  a.store_imm(BPF_W, BPF_REG_7, offsetof(FlowEntry, owed), 1);
  a.load(BPF_W, BPF_REG_1, BPF_REG_10, kWord);
  a.jump_if(BPF_JNE, BPF_REG_1, 0, has_payload);
  // Not TC_ACT_SHOT: TCP would take that for congestion.
  a.leave(TC_ACT_STOLEN);

  a.bind(has_payload);
  a.swap(BPF_REG_9, 32);
  a.store(BPF_W, BPF_REG_10, kWord, BPF_REG_9);
  a.move(BPF_REG_1, BPF_REG_6);
  a.move(BPF_REG_2, BPF_REG_8);
  a.add(BPF_REG_2, kEthernet + 16);
  a.load(BPF_W, BPF_REG_3, BPF_REG_10, kTcp + 8);
  a.move(BPF_REG_4, BPF_REG_9);
  a.set(BPF_REG_5, 4);
  a.call(BPF_FUNC_l4_csum_replace);
  a.jump_if(BPF_JNE, BPF_REG_0, 0, refuse);
  a.move(BPF_REG_1, BPF_REG_6);
  a.move(BPF_REG_2, BPF_REG_8);
  a.add(BPF_REG_2, kEthernet + 8);
  a.move(BPF_REG_3, BPF_REG_10);
  a.add(BPF_REG_3, kWord);
  a.set(BPF_REG_4, 4);
  a.set(BPF_REG_5, 0);
  a.call(BPF_FUNC_skb_store_bytes);
  a.jump_if(BPF_JEQ, BPF_REG_0, 0, p.out);
  a.bind(refuse);
  a.leave(TC_ACT_STOLEN);
  a.bind(p.out);
  a.leave(TC_ACT_UNSPEC);
  return a.load_classifier(why);
}

BpfMap make_map(bpf_map_type type, uint32_t key_bytes, uint32_t value_bytes, uint32_t flags) {
  BpfMap map(type, key_bytes, value_bytes, kEntries, flags);
  if (!map) throw HostError("NET", errno, "", "BPF_MAP_CREATE: " + errno_text(errno));
  return map;
}

bool is_ethernet(const std::string& interface) {
  const UniqueFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  strncpy(request.ifr_name, interface.c_str(), sizeof request.ifr_name - 1);
  return fd && ioctl(fd.get(), SIOCGIFHWADDR, &request) == 0 && request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
}

}  // namespace

FlowFilter::FlowFilter(const GateConfig& config) : name_(name_of(config.service)) {
  const int interface_index = int(if_nametoindex(config.interface.c_str()));
  if (interface_index == 0 || !is_ethernet(config.interface))
    throw HostError("NET", ENODEV, config.interface, "interface " + config.interface + " is not an Ethernet");
  detach_classifiers(name_);
  index_ = make_map(BPF_MAP_TYPE_HASH, uint32_t(key_bytes(config.vip.family)), 4, 0);
  entries_ = make_map(BPF_MAP_TYPE_ARRAY, 4, sizeof(FlowEntry), BPF_F_MMAPABLE);
  std::string why;
  ingress_ = load_ingress(config.vip.family, index_.fd(), entries_.fd(), &why);
  if (ingress_) egress_ = load_egress(config.vip.family, index_.fd(), entries_.fd(), &why);
  if (!egress_) throw HostError("NET", ENOSYS, "", why);
  void* memory = mmap(nullptr, kEntries * sizeof(FlowEntry), PROT_READ | PROT_WRITE, MAP_SHARED, entries_.fd(), 0);
  if (memory == MAP_FAILED) throw HostError("NET", errno, "", "cannot map a BPF array: " + errno_text(errno));
  entry_ = static_cast<FlowEntry*>(memory);
  for (uint32_t i = 0; i < kEntries; i++) free_.push_back(i);
  try {
    attach_classifier(interface_index, Hook::kEgress, egress_.get(), name_);
    attach_classifier(interface_index, Hook::kIngress, ingress_.get(), name_);
  } catch (...) {
    detach_classifiers(name_);
    munmap(entry_, kEntries * sizeof(FlowEntry));
    throw;
  }
}

FlowFilter::~FlowFilter() {
  try {
    detach_classifiers(name_);
  } catch (const HostError&) {
    // Left to clean_leftovers(), which says so. With no entries the programs do nothing.
  }
  munmap(entry_, kEntries * sizeof(FlowEntry));
}

void FlowFilter::clean_leftovers(const std::string& service) { detach_classifiers(name_of(service)); }

FlowEntry* FlowFilter::add(const FlowKey& flow, const FlowEntry& begin) {
  if (free_.empty()) return nullptr;
  const uint32_t index = free_.front();
  entry_[index] = begin;
  const Key key = key_of(flow);
  if (index_.put(&key, &index) != 0) return nullptr;
  free_.pop_front();
  return &entry_[index];
}

void FlowFilter::remove(const FlowKey& flow, FlowEntry* entry) {
  const Key key = key_of(flow);
  index_.remove(&key);
  free_.push_back(uint32_t(entry - entry_));
}

}  // namespace understudy::host
