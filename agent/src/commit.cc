// See commit.h.
#include "commit.h"

#include "baton.h"
#include "flow.h"
#include "marshal.h"
#include "storage.h"

namespace understudy {

namespace {
// clang-format off
enum : u32 { kSendfile = 40, kConnect = 42, kAccept = 43, kSendto = 44, kRecvfrom = 45, kShutdown = 48, kBind = 49, kGetsockname = 51, kGetpeername = 52, kSetsockopt = 54, kSplice = 275, kAccept4 = 288, kWritev = 20 };
// clang-format on
constexpr u32 kSpins = 150, kSpinsLostMax = 8, kSpinAgain = 256;
u32 g_spins_lost;
constexpr i64 kEINPROGRESS = 115;
constexpr u16 kInet = 2, kInet6 = 10;
constexpr u64 kIpBindAddressNoPort = 24;
struct Inet {
  u16 family, port;
  u8 address[4], zero[8];
};
struct Inet6 {
  u16 family, port;
  u32 flow;
  u8 address[16];
  u32 scope;
};

void futex_wait(u32* word, u32 value) {
  i64 ts[2] = {0, 100'000'000};
  sys(kSysFutex, word, 0, value, ts, 0, 0);
}

u64 clock_ns() {
  i64 ts[2];
  using ClockGettime = i64 (*)(i64 clock, i64 * ts);
  if (!g_hot.kernel_clock || ((ClockGettime)g_hot.kernel_clock)(1, ts) != 0) sys(kSysClockGettime, 1, ts);
  return (u64)ts[0] * 1000000000 + (u64)ts[1];
}

bool reaches_outside(FdKind kind) {
  switch (kind) {
    case kFdTcp:
    case kFdDatagram:
    case kFdFifo:
    case kFdOutside:
    case kFdUnix:
    case kFdMessages: return true;
    default: return false;
  }
}

// Opening a file on shared storage for writing may make it, or cut it.
bool changes_shared_storage(const Call& c) {
  constexpr u64 kWriting = 3 | 0100 | 01000;  // O_ACCMODE, O_CREAT, O_TRUNC
  Opening o;
  if (is_opening(c, o)) return (o.flags & kWriting) && is_shared_path(o.dir, o.path);
  return changes_shared_path(c);
}

bool is_output(Thread* t, const Call& c) {
  if (US_UNLIKELY(has_shared_storage()) && changes_shared_storage(c)) return true;
  if (describe(c.nr).carries_data()) return reaches_outside(fd_kind(t, (u32)c.args[0]));
  switch (c.nr) {
    case kSendfile: return reaches_outside(fd_kind(t, (u32)c.args[0]));
    case kSplice: return reaches_outside(fd_kind(t, (u32)c.args[2]));
    case kConnect:
    case kShutdown:
    case kSysClose: return fd_kind(t, (u32)c.args[0]) == kFdTcp;  // SYN, FIN
    case kSysFtruncate:
    case kSysFallocate: return fd_kind(t, (u32)c.args[0]) == kFdOutside;
    case kSysDup2:
    case kSysDup3: return fd_kind(t, (u32)c.args[1]) == kFdTcp;
    case kSysExitGroup: return true;  // closes what is open
    default: return false;
  }
}

// Everything that was asked for went out: the result tells nothing that a replica would not assume.
bool is_complete(const Call& c, i64 ret) {
  if (is_error(ret)) return false;
  switch (c.nr) {
    case kSysWrite:
    case kSendto: return (u64)ret == c.args[2];
    case kWritev: {
      u64 total = 0;
      const u64* iov = (const u64*)c.args[1];
      for (u64 i = 0; i < c.args[2] && i < 1024; ++i) total += iov[2 * i + 1];
      return (u64)ret == total;
    }
    case kShutdown: return ret == 0;
    default: return false;
  }
}

bool is_zero(const u8* p, u32 n) {
  for (u32 i = 0; i < n; ++i)
    if (p[i]) return false;
  return true;
}

bool is_same(const u8* a, const u8* b, u32 n) {
  for (u32 i = 0; i < n; ++i)
    if (a[i] != b[i]) return false;
  return true;
}

// A connection to another machine comes from the VIP, unless the guest has bound the socket itself (EINVAL then): the host's own
// address passes no gate and would not be there after a takeover. The journal need not know: what the guest sees of it, getsockname
// tells and is recorded.
void bind_to_vip(const Call& c) {
  const u8* vip = control().pair.vip;
  u8 name[sizeof(Inet6)] = {};
  u64 len = c.args[2] < sizeof name ? c.args[2] : sizeof name;
  if (is_zero(vip, 16) || understudy_peek(name, (const void*)c.args[1], len) != 0) return;
  const bool vip_is_mapped = is_zero(vip, 10) && vip[10] == 0xff && vip[11] == 0xff;
  Inet to4;
  Inet6 to6;
  copy_bytes(&to4, name, sizeof to4);
  copy_bytes(&to6, name, sizeof to6);
  u64 family = to4.family, bound_len;
  if (family == kInet && len >= sizeof to4 && vip_is_mapped) {
    // To this host itself, it comes from there.
    if (to4.address[0] == 127 || is_zero(to4.address, 4) || is_same(to4.address, vip + 12, 4)) return;
    Inet from{kInet, 0, {}, {}};
    copy_bytes(from.address, vip + 12, 4);
    copy_bytes(name, &from, bound_len = sizeof from);
  } else if (family == kInet6 && len >= sizeof to6) {
    const bool to_mapped = is_zero(to6.address, 10) && to6.address[10] == 0xff && to6.address[11] == 0xff;
    if (to_mapped != vip_is_mapped || is_same(to6.address, vip, 16)) return;
    if (to_mapped ? to6.address[12] == 127 : is_zero(to6.address, 15)) return;
    Inet6 from{kInet6, 0, 0, {}, 0};
    copy_bytes(from.address, vip, 16);
    copy_bytes(name, &from, bound_len = sizeof from);
  } else {
    return;
  }
  // The port is chosen by connect, with the other end in view: no port is used up.
  u32 on = 1;
  sys(kSetsockopt, c.args[0], 0, kIpBindAddressNoPort, &on, sizeof on);
  sys(kBind, c.args[0], name, bound_len);
}

void wait_held(Thread* t, u64 needed) {
  abi::Pair& p = control().pair;
  p.stat_commits++;
  if (__atomic_load_n(&p.held, __ATOMIC_ACQUIRE) >= needed) return;
  u64 begun = clock_ns();
  if (p.needed < needed) __atomic_store_n(&p.needed, needed, __ATOMIC_SEQ_CST);
  ring_wake_host();
  // To spin is worth it where the backup's answer comes while it lasts. Where it does not, that is found out, and tried again now and then.
  if (g_spins_lost < kSpinsLostMax || p.stat_commits % kSpinAgain == 0) {
    for (u32 i = 0; i < kSpins; ++i) {
      pause_cpu();
      if (__atomic_load_n(&p.held, __ATOMIC_ACQUIRE) < needed) continue;
      g_spins_lost = 0;
      goto held;
    }
    ++g_spins_lost;
  }
  {
    bool others = group_has_others();
    if (others) baton_release(t);
    __atomic_fetch_add(&p.sleepers, 1, __ATOMIC_SEQ_CST);
    for (;;) {
      u32 seen = __atomic_load_n(&p.held_wake, __ATOMIC_SEQ_CST);
      if (__atomic_load_n(&p.held, __ATOMIC_SEQ_CST) >= needed) break;
      if (control().processes[t->process->slot].dying) break;
      futex_wait(&p.held_wake, seen);
    }
    __atomic_fetch_sub(&p.sleepers, 1, __ATOMIC_SEQ_CST);
    if (others) baton_acquire(t);
  }
held:
  p.stat_commit_waits++;
  p.stat_commit_wait_ns += clock_ns() - begun;
}

}  // namespace

void commit_before(Thread* t, const Call& c) {
  t->output_needed = 0;
  if (!is_output(t, c)) return;
  abi::Pair& p = control().pair;
  u64 head = control().ring.head;
  t->output_needed = p.output_end == head ? p.output_needed : head;
  wait_held(t, t->output_needed);
  if (c.nr == kConnect) bind_to_vip(c);
}

void commit_after(Thread* t, const Call& c, i64 ret) {
  if (t->output_needed && is_complete(c, ret)) {
    control().pair.output_end = control().ring.head;
    control().pair.output_needed = t->output_needed;
  }
  follow_fd_kinds(t, c, ret);
  if (control().pair.flows) follow_flow(t, c, ret);
  Opening o;
  if (US_UNLIKELY(has_shared_storage()) && !is_error(ret) && is_opening(c, o) && is_shared_path(o.dir, o.path))
    remember_fd(t, (u32)ret, kFdOutside);
}

void append_endpoint(Thread* t, const Call& c, i64 ret) {
  bool accepted = (c.nr == kAccept || c.nr == kAccept4) && !is_error(ret);
  bool connected = c.nr == kConnect && (ret == 0 || ret == -kEINPROGRESS || ret == -kEINTR);
  if (!accepted && !connected) return;
  u32 fd = accepted ? (u32)ret : (u32)c.args[0];
  if (fd_kind(t, fd) != kFdTcp) return;
  u8 name[32];
  u32 len = sizeof name;
  if (sys(accepted ? kGetpeername : kGetsockname, fd, name, &len) != 0)
    return;  // gone again: the replica's is closed too
  if (len > sizeof name) len = sizeof name;
  u8* at = ring_reserve(kSmallEvent);
  u8* q = put_array(at, 2);
  q = put_int(q, kEvEndpoint);
  q = put_bin_head(q, len);
  copy_bytes(q, name, len);
  ring_commit(at, q + len);
}

bool caps_input(Thread* t, const Call& c) {
  constexpr u64 kWaitall = 0x100;
  if (c.args[2] <= kInputMax || (c.nr != kSysRead && c.nr != kRecvfrom)) return false;
  if (c.nr == kRecvfrom && (c.args[3] & kWaitall)) return false;
  return fd_kind(t, (u32)c.args[0]) != kFdFile;
}

}  // namespace understudy
