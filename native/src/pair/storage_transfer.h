// Brings the files that a running guest keeps on its own host (storage of class unshared) to a new backup: as they are at the mark.
//
// In its order: copy_ahead() and copy_soon() while the guest works; at_standstill(), where what is left is read; finish() when it works
// again. A root with a snapshot program is not read before that: the program makes a snapshot at the standstill, which is sent afterwards.
//
//   PROGRAM create DIR     prints the directory that has the snapshot
//   PROGRAM remove DIR     DIR as it was printed
//
// Invariants:
//  - Everything is sent before finish() returns, or ok() is false.
//  - A snapshot that was made is removed, whatever happens; one that cannot be removed is told of.
//
// Must not: outlive the guest's standstill in at_standstill(): what is much is sent later.
#pragma once
#include <memory>
#include <optional>

#include "session.h"
#include "storage/tree_source.h"

namespace understudy::host {

struct StorageRoot {
  std::string dir;
  std::string snapshot;  // the program; empty: it is read where it is
};

class StorageTransfer {
 public:
  // False: nobody takes it any more.
  using Send = std::function<bool(const std::string& record)>;
  using Progress = std::function<void(uint64_t bytes, uint64_t total)>;
  StorageTransfer(std::vector<StorageRoot> roots, Send to, Progress progress, EmitEvent emit);
  ~StorageTransfer();

  // All of these throw HostError STORAGE.
  void copy_ahead();
  void copy_soon();
  // May be called again when the standstill was in vain. pids: the guest's, as this host sees them.
  void at_standstill(const std::vector<pid_t>& pids);
  void finish();
  bool ok() const { return ok_; }
  // Of the last standstill.
  uint64_t stood_ns() const { return stood_ns_; }

 private:
  struct Snapshot {
    uint32_t index;
    std::string dir;
  };
  storage::LookFigures look(storage::TreeSource& source, const storage::FileSet& mapped);
  bool send(const std::string& record);
  void remove_snapshots();

  const std::vector<StorageRoot> roots_;
  const Send send_;
  const Progress progress_;
  const EmitEvent emit_;
  const storage::TreeSource::Report report_;
  std::unique_ptr<storage::TreeSource> direct_;  // of the roots without a program
  std::vector<Snapshot> snapshots_;
  std::vector<std::string> late_;  // of the standstill
  bool standing_ = false, ok_ = true;
  uint64_t sent_ = 0, total_ = 0, late_bytes_ = 0, stood_ns_ = 0;
  storage::LookFigures last_;
};

}  // namespace understudy::host
