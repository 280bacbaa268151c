// The guest's monotonic time on another host. Monotonic clocks count from each host's own boot; a guest that has moved goes on
// counting where it was. The difference (Hot::mono_offset: guest minus host) is added to what clocks say, and taken from absolute
// times that the guest waits for.
//
// Invariants: CLOCK_REALTIME is left alone; hosts are expected to agree on it.
// Must not: be called where Hot::mono_offset is 0, which is everywhere but in a guest that has moved.
#pragma once
#include "ring.h"

namespace understudy {

bool counts_from_boot(u64 clock);
// Monotonic readings never go back, though the offset is only known to some microseconds.
u64 guest_time(u64 clock, u64 host_ns);
// record: a call that reads such a clock, or waits for such a time. True: it was made, with its result.
bool host_time_call(Thread* t, const Call& c, i64& ret);

}  // namespace understudy
