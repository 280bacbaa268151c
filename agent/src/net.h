// The replica's side of the network ring (abi::NetRing): what the guest does with its TCP streams, told to the host in the order of
// the journal. The host keeps from it what it needs to put the connections into the shadow sockets.
//
// Must not: be called without the baton (one producer).
#pragma once
#include "thread.h"

namespace understudy {

u64 socket_cookie(u32 fd);  // 0: not a socket

// One message; `data` (len bytes) may be longer than a message can be, then there are several (only for kNetSent).
void net_tell(abi::NetKind kind, u64 cookie, u64 a, const void* data = nullptr, u64 len = 0);

}  // namespace understudy
