// Timers of a hot replica: they must not fire while it replays (their signals are in the journal), and must run once it is live.
// So they are only remembered, per process, and armed when it goes live, with the time that the guest last asked for.
#pragma once
#include "thread.h"

namespace understudy {

bool timer_call(Thread* t, const Call& c, i64 ret);  // replay: remembers; false: not a call about timers
void timer_fired(Thread* t, const SigInfo& info);    // replay: a signal that may be a timer's has been delivered
void timers_go_live(Thread* t);

}  // namespace understudy
