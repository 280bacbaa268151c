// How the agent tells the host that something is over or wrong. Nothing here returns to the guest.
#pragma once
#include "ring.h"

namespace understudy {

// Publishes the outcome; the calling thread waits to be ended by the host. kStopped leaves it with the guest's registers.
[[noreturn]] void report_outcome(Thread* t, abi::Outcome outcome);
[[noreturn]] void report_outcome_text(abi::Outcome outcome, const char* text);

// Replay: the guest does something else than the journal says. `e` is the event that was expected (null: none).
[[noreturn]] void diverge(Thread* t, const Event* e, abi::DivergenceKind kind, const char* detail);

// Tells the user something, through the host; record also keeps it in the journal as a NOTE.
void tell(Thread* t, abi::MessageLevel level, const Text& text);

// One request to the host, which answers before this returns. The baton holder only. Returns Rpc::result.
i64 rpc(u32 op, u64 a0 = 0, u64 a1 = 0, u64 a2 = 0, u64 a3 = 0, u64 a4 = 0, u64 payload_len = 0);

}  // namespace understudy
