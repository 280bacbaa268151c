// Output commit: what leaves the guest waits until the backup holds every event that it depends on.
//
// An output depends on the events before it, but not on the results of earlier outputs that were complete: a replica that
// goes on from there makes the same outputs again, in full, and a stream has no other memory of them. So a burst of complete
// outputs waits once.
//
// Invariants:
//  - While a thread waits, others run: what they append later is not waited for.
//  - A lost mirror means that `held` stays where it is; whoever waits goes on waiting until the host decides (a new backup, or
//    kHeldAll after the coordinator has confirmed that nobody else took over).
//
// Must not: be used without kFlagPair.
#pragma once
#include "descriptor.h"

namespace understudy {

inline bool paired() { return control().flags & abi::kFlagPair; }

void commit_before(Thread* t, const Call& c);             // waits, if the call lets something out
void commit_after(Thread* t, const Call& c, i64 ret);     // its event has been appended
void append_endpoint(Thread* t, const Call& c, i64 ret);  // accept, connect: ENDPOINT, before the call's own event

// The most that an input call may be asked for: its data then fits into the call's own event, and the journal cannot end in the
// middle of it. Streams may always return less, unless the guest insists (MSG_WAITALL).
inline constexpr u64 kInputMax = 60 << 10;
bool caps_input(Thread* t, const Call& c);

}  // namespace understudy
