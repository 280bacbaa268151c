// See bpf.h.
#include "net/bpf.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace understudy::host {

int bpf(int command, bpf_attr* attr) { return int(syscall(SYS_bpf, command, attr, sizeof *attr)); }

BpfMap::BpfMap(bpf_map_type type, uint32_t key_bytes, uint32_t value_bytes, uint32_t entries, uint32_t flags) {
  bpf_attr attr{};
  attr.map_type = type;
  attr.key_size = key_bytes;
  attr.value_size = value_bytes;
  attr.max_entries = entries;
  attr.map_flags = flags;
  fd_ = UniqueFd(bpf(BPF_MAP_CREATE, &attr));
}

namespace {
int on_entry(int command, int map_fd, const void* key, const void* value) {
  bpf_attr attr{};
  attr.map_fd = uint32_t(map_fd);
  attr.key = uint64_t(key);
  attr.value = uint64_t(value);
  return bpf(command, &attr) == 0 ? 0 : -errno;
}
}  // namespace

int BpfMap::put(const void* key, const void* value) const {
  return on_entry(BPF_MAP_UPDATE_ELEM, fd_.get(), key, value);
}
int BpfMap::get(const void* key, void* value) const { return on_entry(BPF_MAP_LOOKUP_ELEM, fd_.get(), key, value); }
int BpfMap::remove(const void* key) const { return on_entry(BPF_MAP_DELETE_ELEM, fd_.get(), key, nullptr); }

UniqueFd BpfAssembler::load_classifier(std::string* why) {
  for (const auto& [label, at] : jumps_) {
    for (const auto& [bound, target] : targets_)
      if (bound == label) code_[at].off = int16_t(target - at - 1);
  }
  static constexpr char license[] = "GPL";  // asked for by the kernel's functions, of the program
  bpf_attr attr{};
  attr.prog_type = BPF_PROG_TYPE_SCHED_CLS;
  attr.insns = uint64_t(code_.data());
  attr.insn_cnt = uint32_t(code_.size());
  attr.license = uint64_t(license);
  UniqueFd program(bpf(BPF_PROG_LOAD, &attr));
  if (program) return program;
  const int error = errno;
  std::vector<char> log(262144);
  attr.log_buf = uint64_t(log.data());
  attr.log_size = uint32_t(log.size());
  attr.log_level = 1;
  UniqueFd again(bpf(BPF_PROG_LOAD, &attr));
  *why = "BPF_PROG_LOAD: " + errno_text(error) + ": " + log.data();
  return {};
}

}  // namespace understudy::host
