// See shadow.h.
#include "shadow.h"

#include "net.h"
#include "parts.h"
#include "report.h"
#include "shadow_data.h"
#include "storage.h"
#include "timers.h"

namespace understudy {

namespace {

// clang-format off
enum : u32 {
  kIoctl = 16, kReadv = 19, kWritev = 20, kPipe = 22, kSendfile = 40, kSocket = 41, kConnect = 42, kAccept = 43, kSendto = 44,
  kRecvfrom = 45, kSendmsg = 46, kRecvmsg = 47, kShutdown = 48, kBind = 49, kListen = 50, kSocketpair = 53, kSetsockopt = 54,
  kTruncate = 76, kChdir = 80, kFchdir = 81, kRename = 82, kMkdir = 83, kRmdir = 84, kCreat = 85, kLink = 86, kUnlink = 87, kSymlink = 88,
  kReadlink = 89, kChmod = 90, kFchmod = 91, kChown = 92, kFchown = 93, kLchown = 94, kUmask = 95, kSetgroups = 116,
  kCapset = 126, kUtime = 132, kMknod = 133, kSetpriority = 141, kSchedSetscheduler = 144, kChroot = 161, kSetxattr = 188, kLsetxattr = 189,
  kFsetxattr = 190, kRemovexattr = 197, kLremovexattr = 198, kFremovexattr = 199, kSchedSetaffinity = 203, kEpollCreate = 213, kGetdents64 = 217,
  kEpollCtl = 233, kUtimes = 235, kInotifyInit = 253, kInotifyAddWatch = 254, kInotifyRmWatch = 255, kMkdirat = 258, kMknodat = 259,
  kFchownat = 260, kFutimesat = 261, kUnlinkat = 263, kRenameat = 264, kLinkat = 265, kSymlinkat = 266, kFchmodat = 268, kSplice = 275, kTee = 276, kVmsplice = 278, kUtimensat = 280,
  kSignalfd = 282, kTimerfdCreate = 283, kEventfd = 284, kTimerfdSettime = 286, kAccept4 = 288, kSignalfd4 = 289, kEventfd2 = 290,
  kEpollCreate1 = 291, kPipe2 = 293, kInotifyInit1 = 294, kRecvmmsg = 299, kSendmmsg = 307, kRenameat2 = 316,
  kCopyFileRange = 326, kPidfdOpen = 434, kOpenat2 = 437, kFchmodat2 = 452, kFlock = 73, kGetsockname = 51,
};
// clang-format on
constexpr u64 kCloexec = 02000000, kNonblock = 04000, kCreateFlag = 0100, kExclusive = 0200, kTruncateFlag = 01000;
constexpr i32 kAtFdcwd = -100;
constexpr i64 kEINPROGRESS = 115;

u8 g_scratch[64 << 10];  // used only while this thread has the baton
u8 g_endpoint[32];
u32 g_endpoint_len;

struct Sockaddr {
  u16 family;
  u8 rest[126];
};

void warn(Thread* t, const char* what, i64 fd) {
  Text text;
  text.str(describe(t->call.nr).name ? describe(t->call.nr).name : "call").str(": ").str(what);
  if (fd >= 0) text.str(" (descriptor ").dec(fd).str(")");
  tell(t, abi::kWarning, text);
}

// The number that the primary had. The kernel gives the lowest free one, which is that number unless a descriptor before it
// could not be followed.
void place_fd(Thread* t, i64 here, i64 wanted) {
  if (is_error(here)) {
    here = sys(kSysOpen, "/dev/null", 2 | kCloexec, 0);
    warn(t, "has no counterpart on this host and will not go on after a takeover", wanted);
  }
  if (here == wanted) return;
  i64 flags = sys(kSysFcntl, here, 1);
  sys(kSysDup3, here, wanted, flags == 1 ? kCloexec : 0);
  sys(kSysClose, here);
}

void change_paths(Thread* t, const Call& c, i64 ret) {
  if (!changes_shared_path(c)) must_equal(t, make(c), ret);
}

void open_file(Thread* t, const Call& c, i64 ret) {
  Opening o;
  if (!is_opening(c, o)) storage_differs(t);
  if (is_shared_path(o.dir, o.path)) {
    Text name;
    name.str(kPlaceholder).hex(o.flags & ~(kCreateFlag | kExclusive | kTruncateFlag)).str(":");
    bool fits = name.len + text_length(shared_path_text()) < 245;
    name.str(fits ? shared_path_text() : "");
    name.buf[name.len] = 0;
    i64 fd = fits ? sys(kSysMemfdCreate, name.buf, o.flags & kCloexec ? 1 : 0) : -kENOMEM;
    place_fd(t, fd, ret);
    return remember_fd(t, (u32)ret, kFdFile);
  }
  // A FIFO would wait for its other end, which has come or will come in the journal's order.
  bool plain = c.nr == kSysOpen;
  i64 fd = plain ? sys(kSysOpen, o.path, o.flags | kNonblock, c.args[2]) : make(c);
  if (plain && !(o.flags & kNonblock) && fd >= 0) sys(kSysFcntl, fd, 4, o.flags & ~kNonblock);
  place_fd(t, fd, ret);
}

// ---- sockets ------------------------------------------------------------------------------------------------------------
u64 name_hash(const u8* p, u64 n) {
  u64 h = 0xcbf29ce484222325;
  for (u64 i = 0; i < n; ++i) h = (h ^ p[i]) * 0x100000001b3;
  return h | 1;
}

void bind_socket(Thread* t, const Call& c) {
  u32 fd = (u32)c.args[0];
  const Sockaddr& a = *(const Sockaddr*)c.args[1];
  FdKind kind = fd_kind(t, fd);
  if (kind == kFdTcp || kind == kFdDatagram) {
    // The virtual address is not on this host before a takeover.
    i32 on = 1;
    if (a.family == 10) sys(kSetsockopt, fd, 41, 78 /* IPV6_FREEBIND */, &on, 4);
    else sys(kSetsockopt, fd, 0, 15 /* IP_FREEBIND */, &on, 4);
    if (is_error(make(c))) warn(t, "the address cannot be bound on this host", fd);
    u64 len = c.args[2] < 32 ? c.args[2] : 32;
    return net_tell(abi::kNetBind, socket_cookie(fd), kind == kFdTcp ? 1 : 2, &a, len);
  }
  if (kind == kFdUnix || kind == kFdMessages) {
    if (is_error(make(c))) warn(t, "the name cannot be bound on this host", fd);
    abi::Pair& p = control().pair;
    p.unix_names[p.unix_name_count++ % abi::kUnixNames] = name_hash((const u8*)c.args[1], c.args[2]);
    return;
  }
  if (is_error(make(c))) warn(t, "cannot be bound on this host", fd);
}

void connect_socket(Thread* t, const Call& c) {
  u32 fd = (u32)c.args[0];
  FdKind kind = fd_kind(t, fd);
  if (kind == kFdTcp) {
    struct {
      u32 remote_len;
      u8 remote[32];
      u32 local_len;
      u8 local[32];
    } body{};
    body.remote_len = c.args[2] < 32 ? (u32)c.args[2] : 32;
    copy_bytes(body.remote, (const void*)c.args[1], body.remote_len);
    body.local_len = g_endpoint_len;
    copy_bytes(body.local, g_endpoint, g_endpoint_len);
    g_endpoint_len = 0;
    return net_tell(abi::kNetConnect, socket_cookie(fd), 0, &body, sizeof body);
  }
  if (kind == kFdDatagram) {
    make(c);  // sets the peer only; nothing is sent
    return;
  }
  if (kind == kFdUnix || kind == kFdMessages) {
    // Only to a name that the guest has bound itself: another's server must not see the replica.
    u64 h = name_hash((const u8*)c.args[1], c.args[2]);
    for (u64 name : control().pair.unix_names)
      if (name == h) {
        make(c);
        return;
      }
    warn(t, "the connection leads out of the guest and will be found closed after a takeover", fd);
  }
}

void accept_socket(Thread* t, const Call& c, i64 ret) {
  u32 listener = (u32)c.args[0];
  u64 flags = c.nr == kAccept4 ? c.args[3] : 0;
  if (fd_kind(t, listener) == kFdTcp) {
    i32 domain = 2;
    u32 len = 4;
    sys(55, listener, 1, 39 /* SO_DOMAIN */, &domain, &len);
    place_fd(t, sys(kSocket, domain, 1 /* SOCK_STREAM */ | flags, 0), ret);
    remember_fd(t, (u32)ret, kFdTcp);
    struct {
      u32 remote_len;
      u8 remote[32];
      u32 local_len;
      u8 local[32];
    } body{};
    body.remote_len = g_endpoint_len;
    copy_bytes(body.remote, g_endpoint, g_endpoint_len);
    g_endpoint_len = 0;
    return net_tell(abi::kNetAccept, socket_cookie((u32)ret), socket_cookie(listener), &body, sizeof body);
  }
  i64 fd = readable(listener) ? sys(kAccept4, listener, 0, 0, flags) : -kEAGAIN;
  if (is_error(fd)) {
    i32 pair[2] = {-1, -1};
    if (sys(kSocketpair, 1, 1 | flags, 0, pair) == 0) {
      sys(kSysClose, pair[1]);  // what it will find after a takeover: a peer that is gone
      fd = pair[0];
    }
  }
  place_fd(t, fd, ret);
  remember_fd(t, (u32)ret, kFdUnknown);  // a stream, or of messages
}

void make_two(Thread* t, const Call& c, u32 at, FdKind kind) {
  i32 here[2];
  const i32* wanted = (const i32*)c.args[at];
  Call again = c;
  again.args[at] = (u64)here;
  if (is_error(make(again))) storage_differs(t);
  // Both first to numbers that are free for certain, so that neither closes the other.
  if (here[0] != wanted[0] || here[1] != wanted[1]) {
    i64 flags = sys(kSysFcntl, here[0], 1);
    u64 from = 512;
    i64 a = sys(kSysFcntl, here[0], 1030 /* F_DUPFD_CLOEXEC */, from), b = sys(kSysFcntl, here[1], 1030, from);
    sys(kSysClose, here[0]);
    sys(kSysClose, here[1]);
    sys(kSysDup3, a, wanted[0], flags == 1 ? kCloexec : 0);
    sys(kSysDup3, b, wanted[1], flags == 1 ? kCloexec : 0);
    sys(kSysClose, a);
    sys(kSysClose, b);
  }
  remember_fd(t, (u32)wanted[0], kind);
  remember_fd(t, (u32)wanted[1], kind);
}

void close_one(Thread* t, u32 fd) {
  if (fd_kind(t, fd) == kFdTcp) net_tell(abi::kNetClose, socket_cookie(fd), 0);
  sys(kSysClose, fd);
  remember_fd(t, fd, kFdUnknown);
}

// Calls f for each open descriptor but the agent's own.
template <class F>
void each_fd(F f) {
  i64 dir = sys(kSysOpen, "/proc/self/fd", 0200000 | kCloexec, 0);
  if (is_error(dir)) return;
  for (;;) {
    i64 n = sys(kGetdents64, dir, g_scratch, 32 << 10);
    if (n <= 0) break;
    u32 fds[2048], count = 0;
    for (i64 at = 0; at < n;) {
      u16 len = *(u16*)(g_scratch + at + 16);
      const char* name = (const char*)(g_scratch + at + 19);
      u32 fd = 0;
      bool number = *name >= '0' && *name <= '9';
      for (; *name >= '0' && *name <= '9'; ++name) fd = fd * 10 + (u32)(*name - '0');
      if (number && fd != (u32)dir && fd != (u32)control().guest_fd && count < 2048) fds[count++] = fd;
      at += len;
    }
    for (u32 i = 0; i < count; ++i) f(fds[i]);
  }
  sys(kSysClose, dir);
}

void reopen_placeholder(Thread* t, u32 fd) {
  if (!is_placeholder(fd)) return;
  Text link;
  link.str("/proc/self/fd/").dec(fd);
  link.buf[link.len] = 0;
  char name[300];
  i64 n = sys(kReadlink, link.buf, name, sizeof name - 1);
  constexpr u32 kSkip = sizeof "/memfd:understudy:0x" - 1;
  constexpr u32 kDeleted = sizeof " (deleted)" - 1;
  if (n <= 0 || (u64)n <= kSkip + kDeleted) return;
  name[n - kDeleted] = 0;
  u64 flags = 0;
  char* p = name + kSkip;
  for (; *p && *p != ':'; ++p) flags = flags << 4 | (u64)(*p <= '9' ? *p - '0' : *p - 'a' + 10);
  if (*p) ++p;
  i64 position = sys(kSysLseek, fd, 0, 1), cloexec = sys(kSysFcntl, fd, 1);
  i64 real = sys(kSysOpen, p, flags, 0);
  if (is_error(real)) return warn(t, "a file on shared storage cannot be opened here", fd);
  sys(kSysLseek, real, position, 0);
  sys(kSysDup3, real, fd, cloexec == 1 ? kCloexec : 0);
  if (real != (i64)fd) sys(kSysClose, real);
}

}  // namespace

void shadow_endpoint(const u8* address, u32 len) {
  g_endpoint_len = len < sizeof g_endpoint ? len : sizeof g_endpoint;
  copy_bytes(g_endpoint, address, g_endpoint_len);
}

// clang-format off
void shadow_call(Thread* t, const Call& c, i64 ret) {
  if (is_error(ret)) {
    if (c.nr == kConnect && (ret == -kEINPROGRESS || ret == -kEINTR)) connect_socket(t, c);
    return;
  }
  if (class_of(c) == kClassReexecute) return;  // has been made again anyhow
  if (describe(c.nr).carries_data()) return carry_out(t, c, ret);
  switch (c.nr) {
    case kSysRead: case kReadv: case kRecvfrom: case kRecvmsg: case kRecvmmsg: return bring_in(t, c, ret);
    case kSendfile: case kSplice: case kTee: case kVmsplice: return move_again(t, c, ret);

    case kSysOpen: case kSysOpenat: case kCreat: case kOpenat2:
      open_file(t, c, ret);
      break;
    case kSysClose: return close_one(t, (u32)c.args[0]);
    case kSysCloseRange:
      for (u64 fd = c.args[0]; fd <= c.args[1] && fd < kFdFlags; ++fd)
        if ((i32)fd != control().guest_fd && !(c.args[2] & 4)) close_one(t, (u32)fd);
      if (c.args[2] & 4) make(c);  // CLOSE_RANGE_CLOEXEC
      return;
    case kSysDup: {
      FdKind kind = fd_kind(t, (u32)c.args[0]);
      place_fd(t, make(c), ret);
      return remember_fd(t, (u32)ret, kind);
    }
    case kSysDup2: case kSysDup3: {
      if ((u32)c.args[0] == (u32)c.args[1]) return;
      FdKind kind = fd_kind(t, (u32)c.args[0]);
      if (sys(kSysFcntl, c.args[1], 1) >= 0) close_one(t, (u32)c.args[1]);
      make(c);
      return remember_fd(t, (u32)ret, kind);
    }
    case kSysFcntl:
      switch (c.args[1]) {
        case 0: case 1030: {  // F_DUPFD, F_DUPFD_CLOEXEC
          FdKind kind = fd_kind(t, (u32)c.args[0]);
          place_fd(t, make(c), ret);
          return remember_fd(t, (u32)ret, kind);
        }
        case 2: case 4: case 8: case 10: case 15: case 1031:  // F_SETFD, F_SETFL, F_SETOWN, F_SETSIG, F_SETOWN_EX, F_SETPIPE_SZ
          make(c);
          return;
        case 6: case 7:  // F_SETLK, F_SETLKW
          sys(kSysFcntl, c.args[0], 6, c.args[2]);
          return;
        case 37: case 38:  // F_OFD_SETLK, F_OFD_SETLKW
          sys(kSysFcntl, c.args[0], 37, c.args[2]);
          return;
        default: return;
      }
    case kIoctl:
      // FIONCLEX, FIOCLEX, FIONBIO, FIOASYNC
      if (c.args[1] == 0x5450 || c.args[1] == 0x5451 || c.args[1] == 0x5421 || c.args[1] == 0x5452) make(c);
      return;

    case kPipe: case kPipe2: return make_two(t, c, 0, kFdPipe);
    case kSocketpair: return make_two(t, c, 3, kFdUnknown);
    case kEpollCreate: case kEpollCreate1: case kEventfd: case kEventfd2: case kTimerfdCreate: case kInotifyInit: case kInotifyInit1:
      place_fd(t, make(c), ret);
      return remember_fd(t, (u32)ret, kFdCounter);
    case kSignalfd: case kSignalfd4:
      if ((i32)c.args[0] >= 0) { make(c); return; }
      place_fd(t, make(c), ret);
      return remember_fd(t, (u32)ret, kFdCounter);
    case kSysMemfdCreate: case kPidfdOpen: case kSocket:
      place_fd(t, make(c), ret);
      return remember_fd(t, (u32)ret, kFdUnknown);
    case kAccept: case kAccept4: return accept_socket(t, c, ret);
    case kBind: return bind_socket(t, c);
    case kConnect: return connect_socket(t, c);
    case kListen: {
      u32 fd = (u32)c.args[0];
      if (fd_kind(t, fd) != kFdTcp) { make(c); return; }
      u8 name[32];
      u32 len = sizeof name;
      if (sys(kGetsockname, fd, name, &len) != 0) len = 0;
      return net_tell(abi::kNetListen, socket_cookie(fd), c.args[1], name, len);
    }
    case kShutdown:
      if (fd_kind(t, (u32)c.args[0]) == kFdTcp) return net_tell(abi::kNetShutdown, socket_cookie((u32)c.args[0]), c.args[1]);
      make(c);
      return;
    case kSetsockopt: case kEpollCtl: case kTimerfdSettime: case kInotifyAddWatch: case kInotifyRmWatch:
      if (is_error(make(c))) warn(t, "could not be repeated on this host", (i64)(i32)c.args[0]);
      return;

    case kSysLseek: {
      i64 here = make(c);
      if (fd_kind(t, (u32)c.args[0]) == kFdFile && here != ret && c.args[2] <= 1) storage_differs(t);
      if (here != ret) sys(kSysLseek, c.args[0], ret, 0);  // SEEK_END on a placeholder, directory cookies
      return;
    }
    case kSysFtruncate: case kSysFallocate: case kFchmod: case kFchown: case kFsetxattr: case kFremovexattr:
      if (!(*control().shared_paths && is_placeholder((u32)c.args[0]))) must_equal(t, make(c), ret);
      return;
    case kCopyFileRange: must_equal(t, make(c), ret); return;
    case kFlock: sys(kFlock, c.args[0], c.args[1] | 4 /* LOCK_NB */); return;
    case kTruncate: case kRename: case kMkdir: case kRmdir: case kLink: case kUnlink: case kSymlink: case kChmod: case kChown: case kLchown:
    case kUtime: case kMknod: case kUtimes: case kSetxattr: case kLsetxattr: case kRemovexattr: case kLremovexattr: case kMkdirat: case kMknodat:
    case kFchownat: case kFutimesat: case kUnlinkat: case kFchmodat: case kUtimensat: case kFchmodat2: case kRenameat: case kRenameat2:
    case kLinkat: case kSymlinkat:
      return change_paths(t, c, ret);

    // What the kernel knows of the process itself.
    case kChdir: case kFchdir: case kUmask: case kChroot: case kSetgroups: case kCapset: case kSetpriority:
    case kSchedSetscheduler: case kSchedSetaffinity: case kSysSetuid: case kSysSetgid: case kSysSetreuid: case kSysSetregid: case kSysSetresuid:
    case kSysSetresgid: case kSysSetfsuid: case kSysSetfsgid: case kSysSetrlimit:
      make(c);
      if (c.nr >= kSysSetuid && c.nr <= kSysSetfsgid) sys(kSysPrctl, 4 /* PR_SET_DUMPABLE */, 1, 0, 0, 0);
      return;
    case kSysPrlimit:
      if ((i32)c.args[0] == 0 && c.args[2]) sys(kSysPrlimit, 0, c.args[1], c.args[2], 0);
      return;
    case kSysPrctl:
      // PDEATHSIG, KEEPCAPS, NAME, CAPBSET_DROP, SECUREBITS, NO_NEW_PRIVS, CAP_AMBIENT; what concerns children is in pids.cc
      switch (c.args[0]) {
        case 1: case 8: case 15: case 24: case 28: case 38: case 47: make(c); return;
        default: return;
      }
    default: break;
  }
  if (timer_call(t, c, ret)) return;
  if (!makes_fd(c) || (i64)ret < 0) return;
  if (c.nr != kSysOpen && c.nr != kSysOpenat && c.nr != kCreat && c.nr != kOpenat2) place_fd(t, -kENOSYS, ret);
  remember_fd(t, (u32)ret, kFdUnknown);
}
// clang-format on

void shadow_exec(Thread* t) {
  each_fd([&](u32 fd) {
    if (sys(kSysFcntl, fd, 1) == 1) close_one(t, fd);
  });
}

bool shadow_output(Thread* t, const Call& c, i64& ret) {
  u32 fd = (u32)c.args[0];
  bool stream = fd_kind(t, fd) == kFdTcp;
  if (c.nr == kSendfile && stream) {
    u32 in = (u32)c.args[1];
    i64 from = c.args[2] ? *(const i64*)c.args[2] : sys(kSysLseek, in, 0, 1);
    u64 sent = tell_file(socket_cookie(fd), in, from, c.args[3]);
    if (c.args[2]) *(i64*)c.args[2] = from + (i64)sent;
    else sys(kSysLseek, in, sent, 1);
    ret = (i64)sent;
    return true;
  }
  if (!describe(c.nr).carries_data() || c.nr == kSendmmsg) return false;
  if (stream) {
    // As much as the call asks for: visit_data is told the most that it can be.
    u64 total = 0;
    if (c.nr == kSysWrite || c.nr == kSendto) {
      total = c.args[2];
    } else {
      const u64* iov = (const u64*)(c.nr == kSendmsg ? ((const u64*)c.args[1])[2] : c.args[1]);
      u64 pieces = c.nr == kSendmsg ? ((const u64*)c.args[1])[3] : c.args[2];
      for (u64 i = 0; i < pieces && i < 1024; ++i) total += iov[2 * i + 1];
    }
    ret = (i64)total;
    u64 cookie = socket_cookie(fd);
    if (ret) visit_data(c, ret, Visitor{tell_sent, &cookie});
    return true;
  }
  return false;
}

void shadow_go_live(Thread* t) {
  if (*control().shared_paths) each_fd([&](u32 fd) { reopen_placeholder(t, fd); });
  timers_go_live(t);
}

}  // namespace understudy
