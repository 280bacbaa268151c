// Sockets of IP of a program that goes on from a checkpoint by itself: nobody has kept its connections, so they are found reset, and its
// listening sockets listen again.
//
// Invariants:
//  - A connection that there was is in the state that a reset leaves: ECONNRESET for whoever uses it next, once, and whatever waits for it is
//    woken. How far it had come does not matter, nor who closed what.
//  - What cannot be brought into that state is told of. A listener that cannot listen is an error.
//
// Must not: be used while the group runs.
#pragma once
#include <functional>

#include "describe.h"
#include "common.h"

namespace understudy::host::checkpoint {

// 0, or why the address that a socket was bound to cannot be bound now.
int try_port(const InetSocket& socket);
// Of a sockaddr: "127.0.0.1:7000".
std::string text_of_address(const std::string& address);

struct RestoredSockets {
  uint32_t listening = 0, reset = 0;
  std::vector<std::string> lost;  // sentences
};
// `take`: the descriptor of a process (in the numbers of `objects`). Throws HostError CHECKPOINT_UNSUPPORTED.
RestoredSockets restore_sockets(const KernelObjects& objects,
                                const std::function<UniqueFd(int64_t pid, int32_t fd)>& take);

}  // namespace understudy::host::checkpoint
