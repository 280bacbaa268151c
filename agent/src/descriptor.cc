// See descriptor.h.
#include "descriptor.h"

#include "net.h"

namespace understudy {

namespace {
enum : u32 { kSysGetsockopt = 55, kSysPipe = 22, kSysPipe2 = 293 };
constexpr u32 kFormat = 0170000, kSocket = 0140000, kRegular = 0100000, kFifo = 0010000, kCharacter = 0020000;
constexpr i32 kSolSocket = 1, kSoType = 3, kSoDomain = 39;
constexpr i32 kAfUnix = 1, kAfInet = 2, kAfInet6 = 10, kStream = 1;

struct Stat {
  u64 dev, ino, nlink;
  u32 mode, uid, gid, pad;
  u64 rdev;
  u64 rest[13];
};

FdKind ask(u32 fd) {
  Stat st;
  if (sys(kSysFstat, fd, &st) != 0) return kFdUnknown;
  switch (st.mode & kFormat) {
    case kRegular: return kFdFile;
    case kFifo: return kFdFifo;
    case kCharacter: return (st.rdev >> 8 & 0xfff) == 1 ? kFdOther : kFdOutside;  // major 1: null, zero, random ...
    case kSocket: {
      i32 domain = 0, type = 0;
      u32 len = 4;
      sys(kSysGetsockopt, fd, kSolSocket, kSoDomain, &domain, &len);
      len = 4;
      sys(kSysGetsockopt, fd, kSolSocket, kSoType, &type, &len);
      if (domain == kAfUnix) return type == kStream ? kFdUnix : kFdMessages;
      if (domain == kAfInet || domain == kAfInet6) return type == kStream ? kFdTcp : kFdDatagram;
      return kFdOther;
    }
    case 0: return kFdCounter;  // anonymous inodes have no format
    default: return kFdOther;
  }
}
}  // namespace

FdKind fd_kind(Thread* t, u32 fd) {
  if (fd >= kFdFlags) return ask(fd);
  u8& known = t->process->fd_kind[fd];
  if (US_UNLIKELY(known == kFdUnknown)) known = ask(fd);
  return (FdKind)known;
}

void remember_fd(Thread* t, u32 fd, FdKind kind) {
  auto& known = t->process->cookies[fd % kCookies];
  if (known.fd_plus_one == fd + 1) known.fd_plus_one = 0;
  if (fd < kFdFlags) t->process->fd_kind[fd] = kind;
}

void forget_all_fds(Thread* t) {
  fill_bytes(t->process->cookies, 0, sizeof t->process->cookies);
  fill_bytes(t->process->fd_kind, kFdUnknown, sizeof t->process->fd_kind);
}

u64 fd_cookie(Thread* t, u32 fd) {
  auto& known = t->process->cookies[fd % kCookies];
  if (US_UNLIKELY(known.fd_plus_one != fd + 1)) {
    known.cookie = socket_cookie(fd);
    known.fd_plus_one = fd + 1;
  }
  return known.cookie;
}

void follow_fd_kinds(Thread* t, const Call& c, i64 ret) {
  if (is_error(ret)) return;
  switch (c.nr) {
    case kSysClose: return remember_fd(t, (u32)c.args[0], kFdUnknown);
    case kSysCloseRange: return forget_all_fds(t);
    case kSysPipe:
    case kSysPipe2: {
      const i32* fds = (const i32*)c.args[0];
      remember_fd(t, (u32)fds[0], kFdPipe);
      remember_fd(t, (u32)fds[1], kFdPipe);
      return;
    }
    case kSysDup:
    case kSysDup2:
    case kSysDup3: return remember_fd(t, (u32)ret, fd_kind(t, (u32)c.args[0]));
    case kSysFcntl:
      if (c.args[1] == 0 || c.args[1] == 1030) remember_fd(t, (u32)ret, fd_kind(t, (u32)c.args[0]));
      return;
    default:
      if (makes_fd(c)) remember_fd(t, (u32)ret, kFdUnknown);
  }
}

}  // namespace understudy
