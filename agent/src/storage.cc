// See storage.h.
#include "storage.h"

#include "calls.h"

namespace understudy {

namespace {
// clang-format off
enum : u32 {
  kChmod = 90, kChown = 92, kFchmodat = 268, kFchmodat2 = 452, kFchownat = 260, kFutimesat = 261, kLchown = 94, kLink = 86, kLinkat = 265, kLremovexattr = 198, kLsetxattr = 189, kMkdir = 83, kMkdirat = 258, kMknod = 133, kMknodat = 259, kReadlink = 89, kRemovexattr = 197, kRename = 82, kRenameat = 264, kRenameat2 = 316, kRmdir = 84, kSetxattr = 188, kSymlink = 88, kSymlinkat = 266, kTruncate = 76, kUnlink = 87, kUnlinkat = 263, kUtime = 132, kUtimensat = 280, kUtimes = 235, kCreat = 85, kOpenat2 = 437,
};
// clang-format on
constexpr i32 kAtFdcwd = -100;
constexpr u64 kCreateFlags = 01 | 0100 | 01000;  // O_WRONLY | O_CREAT | O_TRUNC, which creat means
char g_path[2 * abi::kPathMax], g_text[abi::kPathMax];

// The textual absolute path in g_path; false when it is too long.
bool absolute_path(i64 dirfd, const char* path) {
  // The primary asks before the call is made: the guest may have passed nonsense.
  u32 n = 0, len = 0;
  for (;; ++len) {
    if (len == sizeof g_text || agent_copy_safe(&g_text[len], path + len, 1)) return false;
    if (!g_text[len]) break;
  }
  if (g_text[0] != '/') {
    Text link;
    if ((i32)dirfd == kAtFdcwd) link.str("/proc/self/cwd");
    else link.str("/proc/self/fd/").dec((i32)dirfd);
    link.buf[link.len] = 0;
    i64 got = sys(kReadlink, link.buf, g_path, abi::kPathMax);
    if (got <= 0) return false;
    n = (u32)got;
    g_path[n++] = '/';
  }
  for (u32 i = 0; i < len; ++i) {
    if (n >= sizeof g_path - 1) return false;
    g_path[n++] = g_text[i];
  }
  g_path[n] = 0;
  return true;
}

}  // namespace

bool is_shared_path(i64 dirfd, const char* path) {
  const char* p = control().shared_paths;
  if (!*p || !absolute_path(dirfd, path)) return false;
  while (*p) {
    const char* at = g_path;
    while (*p && *p != '\n' && *p == *at) ++p, ++at;
    bool hit = *p == '\n' && (!*at || *at == '/' || at[-1] == '/');
    while (*p && *p != '\n') ++p;
    if (*p) ++p;
    if (hit) return true;
  }
  return false;
}

PathArgs path_args(u32 nr) {
  switch (nr) {
    case kTruncate:
    case kMkdir:
    case kRmdir:
    case kUnlink:
    case kChmod:
    case kChown:
    case kLchown:
    case kUtime:
    case kMknod:
    case kUtimes:
    case kSetxattr:
    case kLsetxattr:
    case kRemovexattr:
    case kLremovexattr: return {-1, 0, -1, -1};
    case kRename:
    case kLink: return {-1, 0, -1, 1};
    case kSymlink: return {-1, 1, -1, -1};
    case kMkdirat:
    case kMknodat:
    case kFchownat:
    case kFutimesat:
    case kUnlinkat:
    case kFchmodat:
    case kUtimensat:
    case kFchmodat2: return {0, 1, -1, -1};
    case kRenameat:
    case kRenameat2:
    case kLinkat: return {0, 1, 2, 3};
    case kSymlinkat: return {1, 2, -1, -1};
    default: return {-1, -1, -1, -1};
  }
}

bool is_opening(const Call& c, Opening& o) {
  switch (c.nr) {
    case kSysOpen: o = {kAtFdcwd, (const char*)c.args[0], c.args[1]}; return true;
    case kCreat: o = {kAtFdcwd, (const char*)c.args[0], kCreateFlags}; return true;
    case kSysOpenat: o = {(i64)(i32)c.args[0], (const char*)c.args[1], c.args[2]}; return true;
    case kOpenat2: {
      u64 flags = 0;
      if (agent_copy_safe(&flags, (void*)c.args[2], 8)) return false;
      o = {(i64)(i32)c.args[0], (const char*)c.args[1], flags};
      return true;
    }
    default: return false;
  }
}

bool changes_shared_path(const Call& c) {
  PathArgs p = path_args(c.nr);
  auto shared = [&](int8_t dir, int8_t path) {
    return path >= 0 && c.args[path] &&
           is_shared_path(dir >= 0 ? (i64)(i32)c.args[dir] : kAtFdcwd, (const char*)c.args[path]);
  };
  return shared(p.dir1, p.path1) || shared(p.dir2, p.path2);
}

const char* shared_path_text() { return g_path; }

}  // namespace understudy
