// BPF programs on an interface's packets (tc's clsact and cls_bpf): what comes in, before the rules of the packet filter; what leaves,
// after them.
//
// Invariants:
//  - A program stays when the process that attached it dies: what it forbids stays forbidden until somebody cleans up.
//  - Programs carry a name, by which a later process finds what an earlier one left.
//
// Must not: touch programs or queues of others. The clsact is removed only when it has no program left.
#pragma once
#include <string>

namespace understudy::host {

enum class Hook { kIngress, kEgress };

// Adds a clsact where there is none. The kernel halts the interface for that, and drops what is being sent in this moment (a client then waits
// for its peer's timer, 200 ms): a host whose connections are in use needs one before. Throws HostError NET.
void prepare_interface(int interface_index);
// Throws HostError NET.
void attach_classifier(int interface_index, Hook hook, int program_fd, const std::string& name);
// Those of that name, on all interfaces of this network namespace. Idempotent. Throws HostError NET.
void detach_classifiers(const std::string& name);

}  // namespace understudy::host
