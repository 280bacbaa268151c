// Shadow descriptors: what makes a hot replica able to go live. While it replays, each call that changes the state of a
// descriptor, of files, or of the process as the kernel sees it is made again, on objects of the replica's own:
//
//   pipes, eventfds, timers, epoll sets, unix sockets within the group   real, with the same contents
//   files (storage class unshared)                                       the replica's own copy, results checked
//   files (storage class shared)                                         a placeholder with the right position until it goes live
//   TCP and UDP sockets                                                  real and unconnected; what happens to the stream is
//                                                                        told to the host (net.h), which connects it at takeover
//
// Invariants:
//  - The journal decides every result; what is made again only follows. Where it cannot follow, that is a divergence of
//    kind place (storage differs) or a warning (a descriptor that will not go on), never silence.
//  - Nothing leaves the replica before it is live: no packet, no byte to a terminal or to shared storage.
//  - The journal's order is execution order, so what is made again finds its data there and does not block.
//
// Must not: be called in a plain replay (kFlagShadow not set).
#pragma once
#include "descriptor.h"

namespace understudy {

inline bool shadowing() { return control().flags & abi::kFlagShadow; }

void shadow_call(Thread* t, const Call& c, i64 ret);           // after the call's outputs have been filled in
void shadow_part(Thread* t, const Call& c, u64 from, u64 to);  // a PART event: these bytes of what the call carries
void shadow_endpoint(const u8* address, u32 len);  // an ENDPOINT event: belongs to the next accept or connect
void shadow_exec(Thread* t);                       // descriptors that an execve closes
bool shadow_output(Thread* t, const Call& c,
                   i64& ret);    // drain: the output is complete without the kernel; false: not an output
void shadow_go_live(Thread* t);  // once in each process, when it leaves replay

}  // namespace understudy
