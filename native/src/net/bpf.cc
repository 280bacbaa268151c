// See bpf.h.
#include "net/bpf.h"

#include <sys/syscall.h>
#include <unistd.h>

namespace understudy::host {

int bpf(int command, bpf_attr* attr) { return int(syscall(SYS_bpf, command, attr, sizeof *attr)); }

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
