// See net.h.
#include "net.h"

namespace understudy {

namespace {
enum : u32 { kSysGetsockopt = 55 };
constexpr i32 kSolSocket = 1, kSoCookie = 57;
constexpr u64 kPiece = 128 << 10;
static_assert(kPiece * 4 <= abi::kNetBytes);

abi::NetRing& ring() { return *(abi::NetRing*)abi::kNetAddr; }
u8* at(u64 offset) { return (u8*)abi::kNetAddr + abi::kNetHeader + (offset & (abi::kNetBytes - 1)); }

void futex(u32* word, u32 op, u32 value, i64 nsec) {
  i64 ts[2] = {0, nsec};
  sys(kSysFutex, word, op, value, ts, 0, 0);
}

void wake_host() {
  abi::NetRing& r = ring();
  if (!__atomic_load_n(&r.host_sleeping, __ATOMIC_SEQ_CST)) return;
  __atomic_fetch_add(&r.host_wake, 1, __ATOMIC_SEQ_CST);
  futex(&r.host_wake, 1, 1, 0);
}

// On a primary the host stops reading when nothing depends on it any more, for good: then nothing is waited for. A replica that drains
// counts as recording already, and what it writes then is read to the last byte.
bool is_read() {
  const abi::Pair& p = control().pair;
  return !recording() || __atomic_load_n(&p.live, __ATOMIC_ACQUIRE) == abi::kLiveDrain ||
         __atomic_load_n(&p.flows, __ATOMIC_ACQUIRE) != 0;
}

void wait_space(u64 need) {
  abi::NetRing& r = ring();
  while (r.head + need - __atomic_load_n(&r.tail, __ATOMIC_ACQUIRE) > abi::kNetBytes && is_read()) {
    u32 seen = __atomic_load_n(&r.guest_wake, __ATOMIC_ACQUIRE);
    __atomic_store_n(&r.guest_sleeping, 1, __ATOMIC_SEQ_CST);
    wake_host();
    if (r.head + need - __atomic_load_n(&r.tail, __ATOMIC_SEQ_CST) > abi::kNetBytes)
      futex(&r.guest_wake, 0, seen, 20'000'000);
    __atomic_store_n(&r.guest_sleeping, 0, __ATOMIC_RELAXED);
  }
}

void put(abi::NetKind kind, u64 cookie, u64 a, const void* data, u64 len) {
  abi::NetRing& r = ring();
  u64 size = sizeof(abi::NetMessage) + round_up(len, 8);
  u64 to_end = abi::kNetBytes - (r.head & (abi::kNetBytes - 1));
  if (size > to_end) {
    // Multiples of 8 throughout, so that at least the head's first two words fit; a reader looks at no more of a pad.
    wait_space(to_end);
    u32 pad[2] = {(u32)to_end, abi::kNetPad};
    copy_bytes(at(r.head), pad, sizeof pad);
    __atomic_store_n(&r.head, r.head + to_end, __ATOMIC_RELEASE);
  }
  wait_space(size);
  abi::NetMessage m{(u32)size, kind, cookie, a, (u32)len, 0};
  u8* p = at(r.head);
  copy_bytes(p, &m, sizeof m);
  if (len) copy_bytes(p + sizeof m, data, len);
  __atomic_store_n(&r.head, r.head + size, __ATOMIC_SEQ_CST);
  wake_host();
}
}  // namespace

u64 socket_cookie(u32 fd) {
  u64 cookie = 0;
  u32 len = sizeof cookie;
  return sys(kSysGetsockopt, fd, kSolSocket, kSoCookie, &cookie, &len) == 0 ? cookie : 0;
}

void net_tell(abi::NetKind kind, u64 cookie, u64 a, const void* data, u64 len) {
  const u8* from = (const u8*)data;
  while (kind == abi::kNetSent && len > kPiece) {
    put(kind, cookie, a, from, kPiece);
    from += kPiece;
    len -= kPiece;
  }
  put(kind, cookie, a, from, len);
}

}  // namespace understudy
