// See shadow_data.h.
#include "shadow_data.h"

#include "net.h"
#include "parts.h"
#include "shadow.h"

namespace understudy {

namespace {

// clang-format off
enum : u32 {
  kPoll = 7, kReadv = 19, kSendfile = 40, kRecvfrom = 45, kRecvmsg = 47, kSetsockopt = 54, kGetsockopt = 55, kReadlink = 89,
  kPwritev = 296, kRecvmmsg = 299,
};
// clang-format on
constexpr u64 kWaitall = 0x100, kCmsgCloexec = 0x40000000, kSolSocket = 1;
constexpr int16_t kPollIn = 1, kPollOut = 4;

struct ManyHeader {  // struct mmsghdr
  MessageHeader header;
  u32 len, pad;
};

u8 g_scratch[64 << 10];  // used only while this thread has the baton

}  // namespace

bool ready(u32 fd, int16_t what) {
  struct {
    i32 fd;
    int16_t events, revents;
  } p{(i32)fd, what, 0};
  return sys(kPoll, &p, 1, 0) == 1 && (p.revents & what);
}
bool readable(u32 fd) { return ready(fd, kPollIn); }

bool grow_pipe(u32 fd) {
  i64 size = sys(kSysFcntl, fd, 1032 /* F_GETPIPE_SZ */);
  return !is_error(size) && !is_error(sys(kSysFcntl, fd, 1031 /* F_SETPIPE_SZ */, size * 2));
}

RoomySocket::RoomySocket(u32 fd) : fd_(fd) {
  constexpr i32 kRoom = 4 << 20;
  u32 len = sizeof before_;
  if (sys(kGetsockopt, fd_, kSolSocket, 7 /* SO_SNDBUF */, &before_, &len) != 0) before_ = 0;
  else set(kRoom);
}
RoomySocket::~RoomySocket() {
  if (before_) set(before_ / 2);  // the kernel doubles what it is given
}
void RoomySocket::set(i32 half) {
  if (sys(kSetsockopt, fd_, kSolSocket, 32 /* SO_SNDBUFFORCE */, &half, sizeof half) != 0)
    sys(kSetsockopt, fd_, kSolSocket, 7, &half, sizeof half);
}

[[noreturn]] void no_room(Thread* t, bool socket) {
  diverge(t, nullptr, abi::kKindPlace,
          socket
              ? "a unix socket of the replica has no room for what the primary's had, and cannot be made larger: raise "
                "net.core.wmem_max or net.unix.max_dgram_qlen"
              : "a pipe of the replica has no room for what the primary's had, and cannot be made larger: raise "
                "fs.pipe-max-size and fs.pipe-user-pages-soft");
}

namespace {

u64 total_data(const Call& c, i64 ret) {
  u64 total = 0;
  visit_data(c, ret, Visitor{[](void* self, void*, u64 len) { *(u64*)self += len; }, &total});
  return total;
}

struct CounterSink {
  Thread* thread;
  u32 fd;
};
void add_to_counter(void* self, void* addr, u64 len) {
  CounterSink& s = *(CounterSink*)self;
  if (!ready(s.fd, kPollOut) || sys(kSysWrite, s.fd, addr, len) != (i64)len) storage_differs(s.thread);
}

void fill_pipe(Thread* t, const Call& c, u64 from, u64 to) {
  const u32 fd = (u32)c.args[0];
  while (from < to) {
    i64 n = hand_over(t, c, false, from, to);
    if (n > 0) from += (u64)n;
    else if (n != -kEAGAIN) storage_differs(t);
    else if (!grow_pipe(fd)) no_room(t, false);
  }
}

// A peer outside the group is not connected here: nothing is sent then, as it must be.
void fill_socket(Thread* t, const Call& c, u64 from, u64 to) {
  const u32 fd = (u32)c.args[0];
  while (from < to) {
    i64 n = hand_over(t, c, true, from, to);
    if (n == -kEAGAIN) {
      RoomySocket roomy(fd);
      n = hand_over(t, c, true, from, to);
    }
    if (n == -kEAGAIN) no_room(t, true);
    if (n <= 0) return;
    from += (u64)n;
  }
}

}  // namespace

bool is_placeholder(u32 fd) {
  Text link;
  char name[sizeof "/memfd:" + sizeof kPlaceholder];
  link.str("/proc/self/fd/").dec(fd);
  link.buf[link.len] = 0;
  constexpr char kWanted[] = "/memfd:understudy:";
  if (sys(kReadlink, link.buf, name, sizeof kWanted - 1) != sizeof kWanted - 1) return false;
  for (u32 i = 0; i < sizeof kWanted - 1; ++i)
    if (name[i] != kWanted[i]) return false;
  return true;
}

void tell_sent(void* cookie, void* addr, u64 len) {
  if (len) net_tell(abi::kNetSent, *(u64*)cookie, 0, addr, len);
}

void carry_out(Thread* t, const Call& c, i64 ret) {
  u32 fd = (u32)c.args[0];
  if (ret <= 0) return;
  switch (fd_kind(t, fd)) {
    case kFdTcp: {
      u64 cookie = socket_cookie(fd);
      return visit_data(c, ret, Visitor{tell_sent, &cookie});
    }
    case kFdPipe: return fill_pipe(t, c, t->part_done, (u64)ret);
    case kFdCounter: {
      CounterSink sink{t, fd};
      return visit_data(c, ret, Visitor{add_to_counter, &sink});
    }
    case kFdUnix:
    case kFdMessages: {
      if (carries_stream(c.nr)) return fill_socket(t, c, t->part_done, (u64)ret);
      Call again = c;
      again.args[3] |= kDontwait;  // sendmmsg
      make(again);
      return;
    }
    case kFdFile: {
      if (*control().shared_paths && is_placeholder(fd)) {
        bool at_offset = c.nr == kSysPwrite || c.nr == kPwritev || (c.nr == kSysPwritev2 && (i64)c.args[3] != -1);
        if (!at_offset) sys(kSysLseek, fd, ret, 1);
        return;
      }
      u64 total = total_data(c, ret);
      if (total != (u64)ret) storage_differs(t);
      if (c.nr == kSysWrite) {
        Call again = c;
        again.args[2] = (u64)ret;  // the primary's write may have been a short one
        must_equal(t, make(again), ret);
      } else if (c.nr == kSysPwrite) {
        Call again = c;
        again.args[2] = (u64)ret;
        must_equal(t, make(again), ret);
      } else {
        must_equal(t, make(c), ret);
      }
      return;
    }
    default: return;  // terminals, datagrams: not before it is live
  }
}

void drain_pipe(Thread* t, u32 fd, u64 left) {
  while (left) {
    if (!readable(fd)) storage_differs(t);
    i64 n = sys(kSysRead, fd, g_scratch, left < sizeof g_scratch ? left : sizeof g_scratch);
    if (n <= 0) storage_differs(t);
    left -= (u64)n;
  }
}

void shadow_part(Thread* t, const Call& c, u64 from, u64 to) {
  switch (fd_kind(t, (u32)c.args[0])) {
    case kFdPipe: return fill_pipe(t, c, from, to);
    case kFdUnix:
    case kFdMessages: return fill_socket(t, c, from, to);
    default: return;
  }
}

namespace {

bool is_anonymous_pipe(u32 fd) {
  Text link;
  char name[5];
  link.str("/proc/self/fd/").dec(fd);
  link.buf[link.len] = 0;
  return sys(kReadlink, link.buf, name, sizeof name) == sizeof name && name[0] == 'p' && name[4] == ':';
}

// Calls f with the address of each descriptor's number in a control buffer.
template <class F>
void each_passed(u8* control, u64 len, F f) {
  struct Head {  // struct cmsghdr
    u64 len;
    i32 level, type;
  };
  for (u64 at = 0; at + sizeof(Head) <= len;) {
    const Head& h = *(const Head*)(control + at);
    if (h.len < sizeof(Head) || h.len > len - at) return;
    if (h.level == (i32)kSolSocket && h.type == 1 /* SCM_RIGHTS */)
      for (u64 i = sizeof(Head); i + 4 <= h.len; i += 4) f((u32*)(control + at + i));
    at += round_up(h.len, 8);
  }
}

// Descriptors that have come along get the numbers that the journal has. An anonymous pipe among them is one of the group's: both its
// ends are here.
void place_received(Thread* t, const MessageHeader& recorded, u8* control, u64 len, bool cloexec) {
  u32 here[256], wanted[256], count = 0, found = 0;  // SCM_MAX_FD is 253
  each_passed((u8*)recorded.control, recorded.control_len, [&](const u32* fd) {
    if (count < 256) wanted[count++] = *fd;
  });
  each_passed(control, len, [&](const u32* fd) {
    if (found < 256) here[found++] = *fd;
  });
  // First to numbers that are free for certain, so that none takes another's.
  for (u32 i = 0; i < found; ++i) {
    const i64 moved = sys(kSysFcntl, here[i], 1030 /* F_DUPFD_CLOEXEC */, 512);
    sys(kSysClose, here[i]);
    here[i] = (u32)moved;
  }
  for (u32 i = 0; i < found; ++i) {
    if (i < count) {
      sys(kSysDup3, here[i], wanted[i], cloexec ? 02000000 : 0);
      remember_fd(t, wanted[i], is_anonymous_pipe(wanted[i]) ? kFdPipe : kFdUnknown);
    }
    sys(kSysClose, here[i]);  // one for which the guest had no room
  }
}

// Data that came in from a socket of the group: taken out here too, with the descriptors that may have come along.
void drain_socket(Thread* t, const Call& c, u64 left, u64 flags, const MessageHeader* recorded) {
  const u32 fd = (u32)c.args[0];
  const bool stream = fd_kind(t, fd) == kFdUnix;
  for (bool any = false; left; any = true) {
    const u64 room = sizeof g_scratch - 4096;
    struct {
      void* base;
      u64 len;
    } piece{g_scratch + 4096, stream && left < room ? left : room};
    MessageHeader m{};
    m.pieces = (u64)&piece;
    m.piece_count = 1;
    if (recorded && recorded->control) m.control = (u64)g_scratch, m.control_len = 4096;
    i64 n = sys(kRecvmsg, fd, &m, (flags & ~(kPeek | kWaitall)) | kDontwait);
    if (n >= 0 && m.control) place_received(t, *recorded, g_scratch, m.control_len, flags & kCmsgCloexec);
    if (!stream) return;
    if (n <= 0 && any) storage_differs(t);
    if (n <= 0) return;  // its peer is outside the group
    left -= (u64)n < left ? (u64)n : left;
  }
}

}  // namespace

void bring_in(Thread* t, const Call& c, i64 ret) {
  u32 fd = (u32)c.args[0];
  u64 flags = c.nr == kRecvfrom || c.nr == kRecvmmsg ? c.args[3] : c.nr == kRecvmsg ? c.args[2] : 0;
  if (ret <= 0 || (flags & kPeek)) return;
  switch (fd_kind(t, fd)) {
    case kFdTcp: return net_tell(abi::kNetConsumed, socket_cookie(fd), (u64)ret);
    case kFdPipe: return drain_pipe(t, fd, (u64)ret);
    case kFdCounter:
      if (readable(fd)) sys(kSysRead, fd, g_scratch, sizeof g_scratch);
      return;
    case kFdUnix:
    case kFdMessages:
      if (c.nr != kRecvmmsg)
        return drain_socket(t, c, (u64)ret, flags, c.nr == kRecvmsg ? (const MessageHeader*)c.args[1] : nullptr);
      for (i64 i = 0; i < ret; ++i) {
        const ManyHeader& one = ((const ManyHeader*)c.args[1])[i];
        drain_socket(t, c, one.len, flags, &one.header);
      }
      return;
    case kFdFile: sys(kSysLseek, fd, ret, 1); return;
    default: return;
  }
}

// sendfile: what went out is in the replica's own copy of the file.
u64 tell_file(u64 cookie, u32 in, i64 from, u64 count) {
  u64 sent = 0;
  while (sent < count) {
    u64 want = count - sent < sizeof g_scratch ? count - sent : sizeof g_scratch;
    i64 n = sys(kSysPread, in, g_scratch, want, from + (i64)sent);
    if (n <= 0) break;
    net_tell(abi::kNetSent, cookie, 0, g_scratch, (u64)n);
    sent += (u64)n;
  }
  return sent;
}

}  // namespace understudy
