// What a hot replica does with calls that move data between descriptors without showing them to the guest: sendfile, splice, tee,
// vmsplice. The journal has only how much; the data are where the replica's own files, pipes and sockets have them.
//
// Invariants:
//  - As in shadow_data.h nothing waits, and what has no room gets it.
//
// Must not: take data from outside the group for granted. What came in by splice from a connection is nowhere in the journal: that is a
// divergence.
#include "net.h"
#include "shadow_data.h"

namespace understudy {

namespace {

// clang-format off
enum : u32 { kSendfile = 40, kSplice = 275, kTee = 276, kVmsplice = 278 };
// clang-format on
constexpr u64 kNonblock = 2;  // SPLICE_F_NONBLOCK
constexpr int16_t kPollIn = 1, kPollOut = 4;
u8 g_moved[32 << 10];  // used only while this thread has the baton

// Repeats until everything is moved. The offsets are null or the agent's own.
void splice_all(Thread* t, u32 in, i64* from, u32 out, i64* to, u64 left) {
  while (left) {
    const i64 n = sys(kSplice, in, from, out, to, left, kNonblock);
    if (n == -kEAGAIN && fd_kind(t, out) == kFdPipe && !ready(out, kPollOut)) {
      if (!grow_pipe(out)) no_room(t, false);
      continue;
    }
    if (n == -kEINTR) continue;
    if (n <= 0) storage_differs(t);
    left -= (u64)n;
  }
}

bool is_elsewhere(u32 fd) { return *control().shared_paths && is_placeholder(fd); }

// Out of a pipe or unix socket, and to a stream if there is a cookie.
void take_out(Thread* t, u32 in, u64 left, u64* cookie) {
  while (left) {
    i64 n = readable(in) ? sys(kSysRead, in, g_moved, left < sizeof g_moved ? left : sizeof g_moved) : 0;
    if (n <= 0) storage_differs(t);
    if (cookie) tell_sent(cookie, g_moved, (u64)n);
    left -= (u64)n;
  }
}

// The kernel has written the new offset back by now, and replay has put it there.
i64 offset_before(u64 at, i64 moved) { return at ? *(const i64*)at - moved : 0; }

void move(Thread* t, u32 in, u64 in_at, u32 out, u64 out_at, i64 ret) {
  const FdKind from = fd_kind(t, in), to = fd_kind(t, out);
  i64 in_offset = offset_before(in_at, ret), out_offset = offset_before(out_at, ret);
  const bool in_here = from == kFdPipe || from == kFdUnix || (from == kFdFile && !is_elsewhere(in));
  if (from == kFdTcp) net_tell(abi::kNetConsumed, socket_cookie(in), (u64)ret);
  if (to == kFdFile && is_elsewhere(out)) {
    if (!out_at) sys(kSysLseek, out, ret, 1);
    if (from == kFdPipe || from == kFdUnix) take_out(t, in, (u64)ret, nullptr);
    return;
  }
  if (to == kFdPipe || to == kFdFile || to == kFdUnix) {
    if (!in_here)
      diverge(t, nullptr, abi::kKindPlace,
              "data came in by splice or sendfile from outside the program: the journal does not have them for the "
              "replica");
    if (to == kFdUnix) {
      // The kernel waits for room in a socket, whatever it is told; with this much it need not.
      const RoomySocket roomy(out);
      if (!ready(out, kPollOut)) no_room(t, true);
      if (from != kFdFile) return splice_all(t, in, nullptr, out, nullptr, (u64)ret);
      return must_equal(t, sys(kSendfile, out, in, in_at ? &in_offset : nullptr, ret), ret);
    }
    if (from == kFdFile && to == kFdFile)
      return must_equal(t, sys(kSendfile, out, in, in_at ? &in_offset : nullptr, ret), ret);
    return splice_all(t, in, in_at ? &in_offset : nullptr, out, out_at ? &out_offset : nullptr, (u64)ret);
  }
  if (from == kFdPipe || from == kFdUnix) {
    u64 cookie = to == kFdTcp ? socket_cookie(out) : 0;
    return take_out(t, in, (u64)ret, to == kFdTcp ? &cookie : nullptr);
  }
  if (from == kFdFile && to == kFdTcp) {
    const i64 at = in_at ? in_offset : sys(kSysLseek, in, 0, 1);
    if (tell_file(socket_cookie(out), in, at, (u64)ret) != (u64)ret) storage_differs(t);
  }
  if (from == kFdFile && !in_at) sys(kSysLseek, in, ret, 1);
}

// One that gave only a part could not be continued: it begins at the front of its source each time.
void tee_again(Thread* t, u32 in, u32 out, i64 ret) {
  if (fd_kind(t, in) != kFdPipe || fd_kind(t, out) != kFdPipe) return;
  if (ready(out, kPollIn) && !grow_pipe(out)) no_room(t, false);
  must_equal(t, sys(kTee, in, out, ret, kNonblock), ret);
}

struct Filling {
  Thread* thread;
  u32 fd;
};
void fill(void* self, void* addr, u64 len) {
  Filling& s = *(Filling*)self;
  const u8* p = (const u8*)addr;
  while (len) {
    struct {
      const u8* base;
      u64 len;
    } piece{p, len};
    i64 n = sys(kVmsplice, s.fd, &piece, 1, kNonblock);
    if (n == -kEAGAIN && grow_pipe(s.fd)) continue;
    if (n == -kEAGAIN) no_room(s.thread, false);
    if (n <= 0) storage_differs(s.thread);
    p += n;
    len -= (u64)n;
  }
}

}  // namespace

void move_again(Thread* t, const Call& c, i64 ret) {
  const u64* a = c.args;
  if (ret <= 0) return;
  switch (c.nr) {
    case kSendfile: return move(t, (u32)a[1], a[2], (u32)a[0], 0, ret);
    case kSplice: return move(t, (u32)a[0], a[1], (u32)a[2], a[3], ret);
    case kTee: return tee_again(t, (u32)a[0], (u32)a[1], ret);
    case kVmsplice: {
      const u32 fd = (u32)a[0];
      if (fd_kind(t, fd) != kFdPipe) return;
      if ((sys(kSysFcntl, fd, 3 /* F_GETFL */) & 3) == 0) return drain_pipe(t, fd, (u64)ret);
      Filling filling{t, fd};
      return visit_outputs(c, t->scratch, ret, Visitor{fill, &filling});
    }
    default: return;
  }
}

}  // namespace understudy
