// The primary's side of the network ring (abi::NetRing): which connections the guest has, and how far it has read them. The host lets
// the kernel acknowledge that much, once the backup holds the events that say so (abi::Pair::flows).
//
// Must not: be called without the baton (one producer), or before the call's event is in the ring.
#pragma once
#include "thread.h"

namespace understudy {

void follow_flow(Thread* t, const Call& c, i64 ret);

}  // namespace understudy
