// Storage classes, as far as the agent has to know them: which paths lie on storage that only the primary may touch
// (Control::shared_paths), and which calls concern paths.
//
// Must not: look at what is behind a path. It compares text.
#pragma once
#include "thread.h"

namespace understudy {

// Which arguments of a call are paths: (directory descriptor or -1, path), twice at most; path -1: none.
struct PathArgs {
  int8_t dir1, path1, dir2, path2;
};
PathArgs path_args(u32 nr);
// Directory descriptor (AT_FDCWD where there is none), path and flags of a call that opens a file.
struct Opening {
  i64 dir;
  const char* path;
  u64 flags;
};
bool is_opening(const Call& c, Opening& o);

inline bool has_shared_storage() { return *control().shared_paths; }
bool is_shared_path(i64 dirfd, const char* path);
// A call that changes names or attributes, on shared storage.
bool changes_shared_path(const Call& c);
// The absolute path that is_shared_path looked at last.
const char* shared_path_text();

}  // namespace understudy
