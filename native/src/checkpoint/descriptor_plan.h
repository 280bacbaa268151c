// How the open files of a checkpoint are made again in a hot replica: the calls (abi::RestoreStep) that its first process makes, and
// what each process does afterwards.
//
// What becomes of each kind:
//   file, directory, device, FIFO        opened by its path, positioned; on shared storage a placeholder, as the agent's shadows are
//   pipe, unix sockets within the group  made, filled with what was in them
//   unix socket whose other end is not of the group     connected to nobody: its end is found when the replica goes live
//   socket of IP                         a shadow: bound where the guest bound it, neither listening nor connected
//   eventfd, timerfd, signalfd, epoll, inotify, memfd, pidfd     made, with their contents
//   standard input, output, error of the group          the replica's own
//
// Invariants:
//  - What cannot be made again is refused and named (HostError CHECKPOINT_UNSUPPORTED), here or by the agent; what is lost in an object that can
//    be made is told of in `warnings`.
//
// Must not: make anything. It is the replica's processes that make the calls, in their namespaces and with their rights.
#pragma once
#include <map>

#include "describe.h"
#include "plan_bytes.h"
#include "understudy/abi.h"

namespace understudy::host::checkpoint {

// Name of the state file's section: encode_objects(), with pids as the group knows them.
inline constexpr char kKernelSection[] = "kernel";

struct ProcessDescriptors {
  std::vector<abi::RestoreDescriptor> descriptors;
  std::vector<abi::RestoreStep> steps;
  abi::RestoreTimers timers{};
};

struct DescriptorPlan {
  std::vector<abi::RestoreStep> steps;
  int32_t first_number = 0;
  std::map<int64_t, ProcessDescriptors> processes;  // by pid
  std::vector<uint64_t> unix_names;                 // abi::Pair::unix_names
  std::vector<std::string> warnings;
};

struct DescriptorOptions {
  int32_t guest_fd = 0;      // the agent's
  int64_t root_pid = 0;      // whose user the replica's first process has
  std::string shared_paths;  // abi::Control::shared_paths
  bool true_pids = false;    // processes have the numbers that they had
};

DescriptorPlan plan_descriptors(const KernelObjects& objects, const DescriptorOptions& options, PlanBytes* out);

}  // namespace understudy::host::checkpoint
