// The sockets of the replica's processes, brought into this process: found by walking /proc/PID/fd, told apart by SO_COOKIE.
//
// Invariants: a socket that several processes share is here once.
// Must not: be kept longer than a takeover; a duplicate keeps a socket open that the guest has closed.
#pragma once
#include <sys/types.h>

#include <unordered_map>
#include <vector>

#include "common.h"

namespace understudy::host {

struct GuestDescriptor {
  UniqueFd fd;  // ours
  pid_t pid;
  int number;  // in that process
  int family, type;
};

// By cookie. Processes that are gone, and descriptors that are no sockets of IP, are passed over. *missed: how many could not be had
// for want of descriptors in this process.
std::unordered_map<uint64_t, GuestDescriptor> collect_sockets(const std::vector<pid_t>& pids, uint32_t* missed);

// This process may have as many descriptors as the administrator allows: a guest with thousands of connections needs as many here. To be
// called long before they are needed.
void raise_descriptor_limit();

}  // namespace understudy::host
