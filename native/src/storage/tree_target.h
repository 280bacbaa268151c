// Makes what tree_source.h sends: a copy of another host's directories. It comes beside what is there, and takes its place at once when all of
// it is here: a transfer that ends in the middle leaves the old copy as it was.
//
// Invariants:
//  - Nothing is made or removed but below the roots, whatever the records say.
//  - Until put_in_place() the roots' own contents are untouched; the room of both copies is needed at a time.
//
// Must not: be used while somebody works on the roots.
#pragma once
#include <functional>

#include "common.h"
#include "storage/tree_records.h"

namespace understudy::host::storage {

class TreeTarget {
 public:
  using Report = std::function<void(const std::string&)>;
  TreeTarget(std::vector<std::string> roots, Report report);
  // What is not in place is removed.
  ~TreeTarget();

  // One record, in order. Throws HostError STORAGE.
  void take(std::string_view record);
  // The last look has ended.
  bool is_complete() const { return complete_; }
  uint64_t bytes() const { return bytes_; }
  // Then what was there before is gone from its place, and all is on the disk. Throws HostError STORAGE.
  void put_in_place();
  // Removes what was there before, which takes a while.
  void forget_before();

 private:
  struct Directory {
    std::string path;
    int64_t mtime_ns;
  };
  struct Root {
    std::string dir;
    UniqueFd fd, coming;
    Entry self;  // of the root itself
    std::vector<Directory> directories;
  };
  // An open directory of what comes, and the last part of the name.
  struct Place {
    UniqueFd dir;
    std::string name;
  };

  void begin(uint64_t roots);
  void make(const Entry& entry);
  void make_file(Root& root, const Entry& entry);
  void end_file();
  Root& root_of(uint32_t index);
  // may_lack: an empty `dir` when there is no such directory; something else may have its name by now.
  Place place_of(const Root& root, const std::string& path, bool may_lack);
  void put_in_place(Root& root);

  std::vector<Root> roots_;
  Report report_;
  bool begun_ = false, complete_ = false, placed_ = false;
  uint64_t bytes_ = 0;
  UniqueFd file_;  // that data is for
  std::string file_path_;
  int64_t file_mtime_ns_ = 0;
};

}  // namespace understudy::host::storage
