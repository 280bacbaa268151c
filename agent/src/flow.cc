// See flow.h.
#include "flow.h"

#include "baton.h"
#include "descriptor.h"
#include "marshal.h"
#include "net.h"

namespace understudy {

namespace {
// clang-format off
enum : u32 { kReadv = 19, kConnect = 42, kAccept = 43, kRecvfrom = 45, kRecvmsg = 47, kGetsockname = 51, kGetpeername = 52, kSplice = 275, kAccept4 = 288, kRecvmmsg = 299 };
// clang-format on
constexpr u64 kPeek = 2;
constexpr i64 kEINPROGRESS = 115;

struct Ends {  // payload of kNetAccept and kNetConnect
  u32 remote_len;
  u8 remote[32];
  u32 local_len;
  u8 local[32];
};

u64 bytes_of(const Call& c, i64 ret) {
  if (c.nr != kRecvmmsg) return (u64)ret;
  struct Message {
    u64 header[7];
    u32 len, pad;
  };
  const Message* m = (const Message*)c.args[1];
  u64 total = 0;
  for (i64 i = 0; i < ret; ++i) total += m[i].len;
  return total;
}

void tell_consumed(Thread* t, const Call& c, i64 ret, u64 flags) {
  if (ret <= 0 || (flags & kPeek) || fd_kind(t, (u32)c.args[0]) != kFdTcp) return;
  u64 position = control().ring.head;
  net_tell(abi::kNetConsumed, fd_cookie(t, (u32)c.args[0]), bytes_of(c, ret), &position, sizeof position);
}

// While a connection is being opened, getpeername does not know the other end: `to` then.
void tell_ends(Thread* t, abi::NetKind kind, u32 fd, const void* to, u64 to_len) {
  if (fd_kind(t, fd) != kFdTcp) return;
  Ends ends{sizeof ends.remote, {}, sizeof ends.local, {}};
  if (sys(kGetsockname, fd, ends.local, &ends.local_len) != 0 || ends.local_len > sizeof ends.local) return;
  if (to) {
    ends.remote_len = to_len < sizeof ends.remote ? (u32)to_len : (u32)sizeof ends.remote;
    copy_bytes(ends.remote, to, ends.remote_len);
  } else if (sys(kGetpeername, fd, ends.remote, &ends.remote_len) != 0 || ends.remote_len > sizeof ends.remote) {
    return;  // gone again
  }
  net_tell(kind, fd_cookie(t, fd), control().ring.head, &ends, sizeof ends);
}

}  // namespace

void follow_flow(Thread* t, const Call& c, i64 ret) {
  switch (c.nr) {
    case kSysRead:
    case kReadv:
    case kSplice: return tell_consumed(t, c, ret, 0);
    case kRecvfrom:
    case kRecvmmsg: return tell_consumed(t, c, ret, c.args[3]);
    case kRecvmsg: return tell_consumed(t, c, ret, c.args[2]);
    case kAccept:
    case kAccept4:
      if (!is_error(ret)) tell_ends(t, abi::kNetAccept, (u32)ret, nullptr, 0);
      return;
    case kConnect:
      if (ret == 0 || ret == -kEINPROGRESS)
        tell_ends(t, abi::kNetConnect, (u32)c.args[0], (const void*)c.args[1], c.args[2]);
      return;
  }
}

}  // namespace understudy
