// Go-live: a replica leaves replay and becomes the guest. Between the two lies the drain: the replica makes the outputs that the
// primary may have released after the last event that got here (an output needs no event of its own, see commit.h), so that the
// host knows how far each stream may have come.
//
//   kLiveFollow   replay; the journal's end is waited for
//   kLiveDrain    the baton's holder, at the journal's last event, turns the group to record mode (begin_record). Each thread
//                 then goes on to its next call. An output to a stream succeeds completely, without the kernel; before
//                 anything else the thread waits (wait_live).
//   kLiveDrained  every thread waits; the host puts the connections into the shadow sockets.
//   kLiveOn       become_live: handlers, masks, timers and clocks are the kernel's again, and the call is made for real.
//
// Invariants:
//  - Until kLiveOn nothing reaches the outside and no signal is taken.
//  - What is appended to the ring from begin_record on continues the journal: the host pumps it as a primary's.
#pragma once
#include "ring.h"

namespace understudy {

void begin_record(Thread* t);  // the baton's holder, when the journal has ended
void join_record(Thread* t);   // a thread that waited for its turn; has the baton afterwards
// A thread that is draining, and computes or spins, is interrupted by the host: others go on meanwhile, for it may spin for one of them.
// One that still has made no call after some such interruptions stands where it is until the group goes live.
void drain_kicked(Thread* t);
void wait_live(Thread* t);  // drain: releases the baton until kLiveOn, then has it again and is live
void tell_drained();        // drain: a thread has ended; the others may be all that were waited for
// drain, at the entry of a call: true when the call is over (it was an output), with its result. Otherwise the thread is live.
bool drain_call(Thread* t, i64& ret);

}  // namespace understudy
