// Directory trees as records, for the mirror: what tree_source.h sends and tree_target.h makes.
//
//   Begin   number of roots
//   Entry   a name: what it is, whose, and how large; of a regular file, Data follows
//   Data    bytes of the file of the last Entry, at an offset; what was never told of is zero
//   Gone    a name that is no more, with all that is below it
//   End     of a look at all roots. The last one says so: nothing has been written since
//
// Names are relative to their root, without "." and "..", parents before what is in them; "" is the root itself.
//
// Must not: touch a file.
#pragma once
#include <stdint.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace understudy::host::storage {

enum class RecordKind : uint8_t { kBegin = 0, kEntry = 1, kData = 2, kGone = 3, kEnd = 4 };

struct Entry {
  uint32_t root = 0;
  std::string path;
  uint32_t mode = 0;  // as of stat, with the type
  uint32_t uid = 0, gid = 0;
  uint64_t size = 0, device = 0;  // of a regular file; of a device node
  int64_t mtime_ns = 0;
  bool fresh = false;      // whatever has the name is replaced, and a file begins empty
  bool hard_link = false;  // `target` is another name of it, of the same root
  std::string target;      // also of a symbolic link
  std::vector<std::pair<std::string, std::string>> attributes;  // extended
};

struct Record {
  RecordKind kind{};
  uint64_t roots = 0;      // Begin
  Entry entry;             // Entry; Gone: root and path
  uint64_t offset = 0;     // Data
  std::string_view bytes;  // Data: into what was decoded
  bool last = false;       // End
};

inline constexpr uint64_t kBlockBytes = 64 << 10;  // most of a Data record

std::string encode_begin(uint64_t roots);
std::string encode_entry(const Entry& entry);
std::string encode_data(uint64_t offset, std::string_view bytes);
std::string encode_gone(uint32_t root, const std::string& path);
std::string encode_end(bool last);

// Throws HostError STORAGE on what is no record, and on a path that leads out of its root.
Record decode_record(std::string_view bytes);

// What the target keeps in a root while it comes, and what was there before; no look at a root tells of them.
inline constexpr char kComing[] = ".understudy-coming", kBefore[] = ".understudy-before";

}  // namespace understudy::host::storage
