// What a process of a checkpoint has beside its descriptors that other processes, or the kernel's scheduler, take notice of: file locks,
// priority, capabilities. Which calls give it to a replica's.
//
// Invariants:
//  - What is as it would be anyhow is left out: a replica needs no right that it does not use.
//
// Must not: know the plan's layout (descriptor_plan.cc puts the calls into it).
#pragma once
#include "describe.h"

namespace understudy::host::checkpoint {

struct PlannedCall {
  std::string what;  // "cannot " and this
  long nr = 0;
  std::vector<uint64_t> args;
  // What these arguments point to.
  std::vector<std::pair<unsigned, std::string>> data;
  // Whether there is no replica without it.
  bool must = false;
};

// `number`: a descriptor of the file.
PlannedCall lock_call(const FileLock& lock, int32_t number, const std::string& of);
// Around the change of the user, which takes rights away. `host`: what the replica's processes begin with.
std::vector<PlannedCall> calls_before_user(const ProcessAttributes& a, const ProcessAttributes& host);
std::vector<PlannedCall> calls_after_user(const ProcessAttributes& a, const ProcessAttributes& host);

}  // namespace understudy::host::checkpoint
