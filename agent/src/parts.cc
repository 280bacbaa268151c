// See parts.h.
#include "parts.h"

#include "report.h"
#include "shadow.h"
#include "signals.h"

namespace understudy {

namespace {

enum : u32 { kSysPoll = 7, kSysGetsockopt = 55, kSysPreadv2 = 327 };
constexpr u64 kGetFlags = 3, kNonblock = 04000;
constexpr u64 kMsgNosignal = 0x4000, kSpliceNonblock = 2;
constexpr int16_t kPollIn = 1, kPollOut = 4;
constexpr i64 kSecond = 1'000'000'000, kGlanceNs = 1'000'000;
constexpr u32 kPiecesMax = kBounceSize / sizeof(Piece) / 2;  // more than UIO_MAXIOV

// What the call asks to be written. The kernel has read the vectors in this very call.
u64 asked_for(const Call& c) {
  if (c.nr == kSysWrite || c.nr == kSysSendto) return c.args[2];
  u64 at = c.args[1], count = c.args[2];
  if (c.nr == kSysSendmsg) {
    const MessageHeader& m = *(const MessageHeader*)c.args[1];
    at = m.pieces;
    count = m.piece_count;
  }
  u64 total = 0;
  for (u64 i = 0; i < count; ++i) total += ((const Piece*)at)[i].len;
  return total < kTransferMax ? total : kTransferMax;
}

struct Cut {
  Piece* out;
  u32 count;
  u64 at, from;  // position of the next piece; where to begin
};
void cut_piece(void* self, void* addr, u64 len) {
  Cut& s = *(Cut*)self;
  const u64 skip = s.from > s.at ? s.from - s.at : 0;
  s.at += len;
  if (skip >= len) return;
  US_ASSERT(s.count < kPiecesMax);
  s.out[s.count++] = {(u64)addr + skip, len - skip};
}

bool is_nonblocking(u32 fd) {
  i64 flags = sys(kSysFcntl, fd, kGetFlags);
  return !is_error(flags) && ((u64)flags & kNonblock);
}

constexpr u32 kSndtimeo = 21, kRcvtimeo = 20;
i64 timeout_of(u32 fd, u32 option) {  // 0: none
  i64 timeval[2] = {0, 0};
  u32 len = sizeof timeval;
  if (sys(kSysGetsockopt, fd, 1 /* SOL_SOCKET */, option, timeval, &len) != 0) return 0;
  return timeval[0] * kSecond + timeval[1] * 1000;
}

i64 now_ns() {
  i64 ts[2] = {0, 0};
  sys(kSysClockGettime, 1 /* CLOCK_MONOTONIC */, ts);
  return ts[0] * kSecond + ts[1];
}

void append_part(Thread* t, const Call& c, u64 done) {
  u8* p = ring_reserve(kSmallEvent);
  u8* q = put_array(p, 3);
  q = put_int(q, kEvPart);
  q = put_uint(q, c.nr);
  q = put_uint(q, done);
  ring_commit(p, q);
  t->slot->events++;
  t->part_done = done;
}

// Without the baton, until there is what the call waits for or `left_ns` (negative: no limit) is over. As ppoll returns; kNotMade: a signal was first.
// `glance`: poll says that there is, and the kernel that there is not (a datagram to a socket that this one is not connected to).
i64 wait_for(Thread* t, u32 fd, int16_t what, i64 left_ns, bool glance) {
  struct {
    i32 fd;
    int16_t events, revents;
  } look{(i32)fd, what, 0};
  if (glance && (left_ns < 0 || left_ns > kGlanceNs)) left_ns = kGlanceNs;
  i64 limit[2] = {left_ns / kSecond, left_ns % kSecond};
  u64 args[6] = {(u64)&look, glance ? 0ull : 1ull, left_ns < 0 ? 0 : (u64)limit, 0, 8, 0};
  baton_release(t);
  i64 ret = agent_interruptible(kSysPpoll, args);
  baton_acquire(t);
  return ret;
}

}  // namespace

bool is_cut_short(const Call& c, i64 ret) { return carries_stream(c.nr) && ret > 0 && (u64)ret < asked_for(c); }

i64 hand_over(Thread* t, const Call& c, bool socket, u64 from, u64 to) {
  Cut cut{(Piece*)((u8*)t + (kThreadBlock - kBounceSize)), 0, 0, from};
  visit_data(c, (i64)to, Visitor{cut_piece, &cut});
  const u32 fd = (u32)c.args[0];
  if (!socket) {
    const u64 flags = c.nr == kSysPwritev2 ? c.args[5] : 0;
    return sys(kSysPwritev2, fd, cut.out, cut.count, -1, -1, flags | kRwfNowait);
  }
  MessageHeader m{};
  u64 flags = c.nr == kSysSendto ? c.args[3] : c.nr == kSysSendmsg ? c.args[2] : 0;
  if (c.nr == kSysSendto) {
    m.name = c.args[4];
    m.name_len = c.args[4] ? (u32)c.args[5] : 0;
  } else if (c.nr == kSysSendmsg) {
    const MessageHeader& whole = *(const MessageHeader*)c.args[1];
    m.name = whole.name;
    m.name_len = whole.name_len;
    // Descriptors go with the first byte.
    if (from == 0) m.control = whole.control, m.control_len = whole.control_len;
  }
  m.pieces = (u64)cut.out;
  m.piece_count = cut.count;
  // A unix socket whose peer goes away in the middle of a write sends no SIGPIPE (af_unix.c): the write has its part.
  if (from) flags |= kMsgNosignal;
  return sys(kSysSendmsg, fd, &m, flags | kMsgDontwait);
}

i64 make_in_parts(Thread* t, const Call& c, i64 n) {
  const u32 fd = (u32)c.args[0];
  const bool socket = c.nr == kSysSendto || c.nr == kSysSendmsg || fd_kind(t, fd) == kFdUnix;
  const auto over = [t](u64 done) {
    t->part_done = 0;
    return (i64)done;
  };
  bool waited = false, glance = false, asked = false;
  i64 timeout_ns = 0, deadline_ns = 0;
  for (bool made = t->part_done == 0;; made = false) {
    if (!made) n = hand_over(t, c, socket, t->part_done, asked_for(c));
    if (n == -kEOPNOTSUPP && !socket && !t->part_done) {
      // Named pipes, and pipes that were opened again by way of /proc: they lead outside, as far as anybody here knows.
      remember_fd(t, fd, kFdOutside);
      return kNotInParts;
    }
    const u64 done = t->part_done + (n > 0 ? (u64)n : 0);
    if (n >= 0) {
      if (n == 0 || done >= asked_for(c) || is_nonblocking(fd)) return over(done);
      append_part(t, c, done);
      glance = false;
      deadline_ns = 0;
    } else if (n != -kEAGAIN || is_nonblocking(fd)) {
      // The kernel gives an error only if nothing was written; whoever writes again will get it.
      return done ? over(done) : n;
    } else {
      glance = waited;
    }
    if (!asked) timeout_ns = socket ? timeout_of(fd, kSndtimeo) : 0, asked = true;
    if (timeout_ns && !deadline_ns) deadline_ns = now_ns() + timeout_ns;
    for (waited = false; !waited;) {
      const i64 left_ns = timeout_ns ? deadline_ns - now_ns() : -1;
      if (timeout_ns && left_ns <= 0) return done ? over(done) : -kEAGAIN;
      const i64 r = wait_for(t, fd, kPollOut, left_ns, glance);
      waited = r != -kEINTR && r != kNotMade;
      if (waited) break;
      if (done) {
        if (signal_is_due(t)) return over(done);
      } else if (!timeout_ns && pending_restarts(t)) {  // signal(7): with a timeout such calls are not made again
        deliver_pending(t, kBeforeCall);
      } else if (signal_is_due(t)) {
        return -kEINTR;
      }
    }
  }
}

bool takes_message(Thread* t, const Call& c) {
  switch (c.nr) {
    case kSysRead:
    case kSysReadv: break;
    case kSysRecvfrom:
      if (c.args[3] & kMsgDontwait) return false;
      break;
    case kSysRecvmsg:
      if (c.args[2] & kMsgDontwait) return false;
      break;
    default: return false;
  }
  return group_has_others() && fd_kind(t, (u32)c.args[0]) == kFdMessages;
}

i64 take_message(Thread* t, const Call& c, u64 asked) {
  const u64* a = c.args;
  const u32 fd = (u32)a[0];
  i64 deadline_ns = 0;
  for (;;) {
    Piece whole{a[1], asked};
    const i64 n = c.nr == kSysRead       ? sys(kSysPreadv2, fd, &whole, 1, -1, -1, kRwfNowait)
                  : c.nr == kSysReadv    ? sys(kSysPreadv2, fd, a[1], a[2], -1, -1, kRwfNowait)
                  : c.nr == kSysRecvfrom ? sys(kSysRecvfrom, fd, a[1], asked, a[3] | kMsgDontwait, a[4], a[5])
                                         : sys(kSysRecvmsg, fd, a[1], a[2] | kMsgDontwait);
    if ((n != -kEAGAIN && n != -kEINTR) || (n == -kEAGAIN && is_nonblocking(fd))) return n;
    const i64 timeout_ns = timeout_of(fd, kRcvtimeo);
    if (n == -kEAGAIN) {
      if (timeout_ns && !deadline_ns) deadline_ns = now_ns() + timeout_ns;
      const i64 left_ns = timeout_ns ? deadline_ns - now_ns() : -1;
      if (timeout_ns && left_ns <= 0) return n;
      const i64 r = wait_for(t, fd, kPollIn, left_ns, false);
      if (r != -kEINTR && r != kNotMade) continue;
    }
    if (!timeout_ns && pending_restarts(t)) deliver_pending(t, kBeforeCall);
    else if (signal_is_due(t)) return -kEINTR;
  }
}

bool moves_data(Thread* t, const Call& c) {
  if (c.nr != kSysSendfile && c.nr != kSysSplice && c.nr != kSysTee && c.nr != kSysVmsplice) return false;
  if (!group_has_others()) return false;
  const auto is_pipe = [t](u64 fd) {
    const FdKind kind = fd_kind(t, (u32)fd);
    return kind == kFdPipe || kind == kFdFifo;
  };
  switch (c.nr) {
    case kSysSendfile: return is_pipe(c.args[0]) && fd_kind(t, (u32)c.args[1]) == kFdFile;
    case kSysVmsplice: return is_pipe(c.args[0]) && !(c.args[3] & kSpliceNonblock);
    case kSysTee: return is_pipe(c.args[0]) && is_pipe(c.args[1]) && !(c.args[3] & kSpliceNonblock);
    default: {
      const auto is_ours = [&](u64 fd) {
        const FdKind kind = fd_kind(t, (u32)fd);
        return is_pipe(fd) || kind == kFdFile || kind == kFdUnix;
      };
      return is_ours(c.args[0]) && is_ours(c.args[2]) && !(c.args[5] & kSpliceNonblock);
    }
  }
}

static bool is_ready(i64 fd, int16_t what) {
  struct {
    i32 fd;
    int16_t events, revents;
  } look{(i32)fd, what, 0};
  return sys(kSysPoll, &look, 1, 0) == 1;
}

// SPLICE_F_NONBLOCK is the pipe's only: a socket that has no room is waited for (fs/splice.c, splice_to_socket). One that poll(2) says to be
// writable takes a message of a quarter of its buffer. Somebody outside may fill it between the two: so the baton is lent.
static i64 splice_to_socket(Thread* t, const Call& c) {
  const u64* a = c.args;
  if (!is_ready((i32)a[2], kPollOut)) return -kEAGAIN;
  i32 room = 0;
  u32 len = sizeof room;
  sys(kSysGetsockopt, a[2], 1 /* SOL_SOCKET */, 7 /* SO_SNDBUF */, &room, &len);
  u64 most = room > 64 << 10 ? 16 << 10 : room > 4 ? (u64)room / 4 : 1;
  baton_lend(t);
  i64 n = sys(kSysSplice, a[0], a[1], a[2], a[3], a[4] < most ? a[4] : most, a[5] | kSpliceNonblock);
  baton_reclaim(t);
  return n;
}

i64 move_data(Thread* t, const Call& c) {
  const u64* a = c.args;
  // Where from (none: memory) and where to. With vmsplice it is the pipe's end that says which way.
  i64 in = (i32)a[0], out = (i32)a[c.nr == kSysTee ? 1 : 2];
  if (c.nr == kSysSendfile) in = (i32)a[1], out = (i32)a[0];
  if (c.nr == kSysVmsplice) {
    const bool reads = (sys(kSysFcntl, a[0], kGetFlags) & 3) == 0;
    out = reads ? -1 : in;
    in = reads ? in : -1;
  }
  for (;;) {
    i64 n;
    switch (c.nr) {
      case kSysSendfile: n = sys(kSysSplice, a[1], a[2], a[0], 0, a[3], kSpliceNonblock); break;
      case kSysVmsplice: n = sys(kSysVmsplice, a[0], a[1], a[2], a[3] | kSpliceNonblock); break;
      case kSysTee: n = sys(kSysTee, a[0], a[1], a[2], a[3] | kSpliceNonblock); break;
      default:
        n = fd_kind(t, (u32)out) == kFdUnix ? splice_to_socket(t, c)
                                            : sys(kSysSplice, a[0], a[1], a[2], a[3], a[4], a[5] | kSpliceNonblock);
    }
    if (n != -kEAGAIN && n != -kEINTR) return n;
    if (n == -kEAGAIN) {
      if ((in >= 0 && is_nonblocking((u32)in)) || (out >= 0 && is_nonblocking((u32)out))) return n;
      const bool has_input = in < 0 || is_ready(in, kPollIn), has_room = out < 0 || is_ready(out, kPollOut);
      const i64 r = !has_input ? wait_for(t, (u32)in, kPollIn, -1, false)
                               : wait_for(t, (u32)(out < 0 ? in : out), kPollOut, -1, has_room);
      if (r != -kEINTR && r != kNotMade) continue;
    }
    if (pending_restarts(t)) deliver_pending(t, kBeforeCall);
    else if (signal_is_due(t)) return -kEINTR;
  }
}

void follow_part(Thread* t, Event& e) {
  const u32 nr = (u32)e.integer();
  const u64 done = (u64)e.integer();
  if (nr != t->call.nr || !carries_stream(nr) || done <= t->part_done)
    diverge(t, &e, abi::kKindUnknown, "the journal has a part of a write that the guest does not make here");
  consume_event(e);
  if (shadowing()) shadow_part(t, t->call, t->part_done, done);
  t->part_done = done;
}

}  // namespace understudy
