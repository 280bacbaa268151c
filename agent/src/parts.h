// Writes that would block half-way. The kernel hands such a write out in portions while the writer sleeps, so its reader could have the
// data, and say so in the journal, before the writer does; a hot replica, which makes the same write again, would not have them yet.
// A primary's writes to pipes and unix sockets are therefore made in steps that do not block, each with the baton held; a step that
// took only a part is in the journal as a PART event, and between the steps the thread waits for room without the baton.
//
// Invariants:
//  - Whatever lies in a pipe or unix socket of the group is in the journal before anybody can take it out.
//  - Thread::part_done is what PART events say of the call that the thread is in. A call that begins again (go-live, a restored
//    checkpoint) goes on behind it.
//  - Messages are taken out of unix sockets with the baton held, too: of them a socket holds only so many, and a replica that has not
//    taken one yet has no room for the next. Streams may be read without it, since a replica can make more room (shadow_data.h).
//  - A write that is done in one step leaves the same events as any other.
//
// Must not: be used in plain recordings, which nobody follows; touch calls on anything else (their blocking is nobody's concern).
#pragma once
#include "baton.h"
#include "calls.h"
#include "descriptor.h"

namespace understudy {

// clang-format off
enum : u32 { kSysReadv = 19, kSysWritev = 20, kSysSendfile = 40, kSysSendto = 44, kSysRecvfrom = 45, kSysSendmsg = 46, kSysRecvmsg = 47, kSysSplice = 275, kSysTee = 276, kSysVmsplice = 278, kSysSendmmsg = 307, kSysPwritev2 = 328 };
// clang-format on
inline constexpr i64 kEPIPE = 32, kEOPNOTSUPP = 95;
inline constexpr u64 kRwfNowait = 8, kMsgOob = 1, kMsgDontwait = 0x40;
inline constexpr u64 kTransferMax = 0x7ffff000;  // MAX_RW_COUNT: the kernel takes no more at once

inline bool carries_stream(u32 nr) {
  return nr == kSysWrite || nr == kSysWritev || nr == kSysSendto || nr == kSysSendmsg || nr == kSysPwritev2;
}

// record, pairs.
inline bool goes_in_parts(Thread* t, const Call& c) {
  if (!carries_stream(c.nr)) return false;
  if (US_UNLIKELY(t->part_done)) return true;
  if (!group_has_others()) return false;
  const FdKind kind = fd_kind(t, (u32)c.args[0]);
  if (kind != kFdPipe && kind != kFdUnix && kind != kFdMessages && kind != kFdFifo) return false;
  switch (c.nr) {
    case kSysWrite: return c.args[2] && c.args[2] <= kTransferMax;
    case kSysPwritev2: return (i64)c.args[3] == -1 && !(c.args[5] & kRwfNowait);
    case kSysSendto: return c.args[2] <= kTransferMax && !(c.args[3] & (kMsgDontwait | kMsgOob));
    case kSysSendmsg: return !(c.args[2] & (kMsgDontwait | kMsgOob));
    default: return true;
  }
}

struct MessageHeader {  // struct user_msghdr
  u64 name, name_len, pieces, piece_count, control, control_len, flags;
};
struct Piece {  // struct iovec
  u64 base, len;
};

// The call as the guest made it, but so that it does not block. Inline: nearly always it is all there is to do.
inline __attribute__((always_inline)) i64 first_part(const Call& c) {
  const u64* a = c.args;
  switch (c.nr) {
    case kSysWrite: {
      Piece whole{a[1], a[2]};
      return sys(kSysPwritev2, a[0], &whole, 1, -1, -1, kRwfNowait);
    }
    case kSysWritev: return sys(kSysPwritev2, a[0], a[1], a[2], -1, -1, kRwfNowait);
    case kSysSendto: return sys(kSysSendto, a[0], a[1], a[2], a[3] | kMsgDontwait, a[4], a[5]);
    case kSysSendmsg: return sys(kSysSendmsg, a[0], a[1], a[2] | kMsgDontwait);
    default: return sys(kSysPwritev2, a[0], a[1], a[2], a[3], a[4], a[5] | kRwfNowait);
  }
}

// Makes the rest of the call, of which the first step gave `n`, and returns the call's result; kNotInParts: what this is cannot be
// written to without blocking, and nothing has been.
inline constexpr i64 kNotInParts = -4095;
i64 make_in_parts(Thread* t, const Call& c, i64 n);
inline i64 in_parts(Thread* t, const Call& c) {
  if (US_UNLIKELY(t->part_done)) return make_in_parts(t, c, 0);
  i64 n = first_part(c);
  if (US_LIKELY((c.nr == kSysWrite || c.nr == kSysSendto) && n == (i64)c.args[2])) return n;
  return make_in_parts(t, c, n);
}

// record, pairs: a call that takes a message out of a unix socket, and its result. `asked`: instead of the third argument.
bool takes_message(Thread* t, const Call& c);
i64 take_message(Thread* t, const Call& c, u64 asked);

// record, pairs: sendfile, splice, tee, vmsplice, to or from a pipe of the group's. They may always give less than was asked for: one step
// that does not block is all of the call.
bool moves_data(Thread* t, const Call& c);
i64 move_data(Thread* t, const Call& c);

// Both modes: whether a write gave less than the call asks for, as it does when a signal comes in its middle.
bool is_cut_short(const Call& c, i64 ret);

// Both modes: bytes `from` to `to` of what the call carries, in one step that does not block.
i64 hand_over(Thread* t, const Call& c, bool socket, u64 from, u64 to);

// replay: a PART event, its kind already read.
void follow_part(Thread* t, Event& e);

}  // namespace understudy
