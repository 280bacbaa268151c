// The files of a running guest's own storage, sent to another host: all of them once, and then what has changed, look by look, until a last
// look while the guest stands still.
//
// How a change is seen: by what stat says of a file. One that was changed too lately for its times to tell, and one that somebody has mapped
// for writing, are read again each time; of what is read, blocks go out that are not as they were (as rsync's blocks, but against what was
// sent, and not against the other host's old copy).
//
// Invariants:
//  - After the last look, which nobody writes beside, the target is as the source: names, types, owners, modes, times of modification,
//    extended attributes, hard links, contents, holes.
//  - Other file systems below a root are not entered; `report` is told.
//
// Must not: write below a root, or follow a link.
#pragma once
#include <sys/stat.h>

#include <array>
#include <functional>
#include <map>
#include <set>

#include "common.h"
#include "storage/tree_records.h"

namespace understudy::host::storage {

struct SourceRoot {
  uint32_t index = 0;  // as the target knows it
  std::string dir;
};

// What there was to do in one look.
struct LookFigures {
  uint64_t entries = 0, files_read = 0, bytes_read = 0, bytes_sent = 0;
};

// Files by device and inode.
using FileSet = std::set<std::pair<dev_t, ino_t>>;
// Those that processes have mapped, shared and for writing: their times tell too late of what is written. Pids as this process sees them.
FileSet mapped_for_writing(const std::vector<pid_t>& pids);

class TreeSource {
 public:
  // False: nobody takes it any more, and the look ends.
  using Sink = std::function<bool(const std::string& record)>;
  using Report = std::function<void(const std::string&)>;
  TreeSource(std::vector<SourceRoot> roots, Report report);

  // Throws HostError STORAGE: what cannot be read cannot be sent.
  LookFigures look(const Sink& sink, const FileSet& mapped);

 private:
  using Hash = std::array<uint8_t, 16>;
  struct Known {
    struct stat st {};
    int64_t looked_ns = 0;
    std::vector<Hash> blocks;
    uint64_t seen = 0;  // the number of the last look
    uint64_t made = 0;  // of the one in which the target made this file
    // Another name of `target`, as that was made then.
    bool hard_link = false;
    std::string target;
    uint64_t target_made = 0;
  };
  struct Root {
    SourceRoot of;
    dev_t device = 0;
    std::map<std::string, Known> known;
    std::set<std::string> not_entered;
  };

  void enter(Root& root, int fd, const std::string& path);
  void visit(Root& root, int dir, const std::string& name, const std::string& path);
  void visit_file(Root& root, int dir, const std::string& name, const std::string& path, const struct stat& st);
  void send_name(Root& root, const std::string& path, const struct stat& st, const std::string& first);
  void send_contents(int fd, const std::string& where, Entry entry, Known* known, bool send_entry);
  void say_gone(Root& root);
  void send(const std::string& record);
  std::string text_of(const Root& root, const std::string& path) const;

  std::vector<Root> roots_;
  Report report_;
  uint64_t looks_ = 0;
  // Of the look that is under way.
  const Sink* sink_ = nullptr;
  const FileSet* mapped_ = nullptr;
  LookFigures figures_;
  // Of files with several names the first, which the target has as it is.
  std::map<std::pair<dev_t, ino_t>, std::pair<const Root*, std::string>> names_;
  bool over_ = false;
  std::vector<char> buffer_;
};

}  // namespace understudy::host::storage
