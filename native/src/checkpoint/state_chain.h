// The checkpoints of a journal: which there are, a checkpoint together with the ones that it builds upon, folding, removal.
//
// Invariants:
//  - A file is removed only when no checkpoint that stays needs it: those that do are made complete first, and that is on the disk before.
//  - Whoever has a chain open keeps it, whatever is folded or removed meanwhile: an open file outlives its name.
//
// Must not: be called for one journal's checkpoints by two processes at once without the lock that fold() and remove() take themselves.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "state_file.h"

namespace understudy::host::checkpoint {

// Seqs, ascending. A folder that does not exist has none.
std::vector<uint64_t> list_checkpoints(const std::string& journal_dir);

class StateChain {
 public:
  // Throws as StateFile does; a base that is missing is CHECKPOINT_DAMAGED, because the checkpoint cannot be used.
  StateChain(const std::string& journal_dir, uint64_t seq);

  // Of the checkpoint itself; older ones' manifests say nothing that it does not.
  const Manifest& manifest() const { return files_.front()->manifest(); }
  CheckpointRef ref() const { return manifest().self; }
  // The checkpoint's own file is 0, its base 1 ….
  size_t size() const { return files_.size(); }
  const StateFile& file(uint32_t index) const { return *files_[index]; }

  // Where the pages of a space's regions are: in ascending order, cut to the regions, Place::file an index of file(). What no run tells of has
  // what its mapping gives: zeros, or the mapped file's bytes. Place::kVoid does not occur.
  std::vector<PageRun> resolve(uint32_t space) const;
  // Only what a region has.
  std::vector<PageRun> resolve(uint32_t space, const Region& region) const;

  // Checks all page data, of all files of the chain. Throws DamageError at the first damage; or calls `damaged` for each one.
  void verify() const;
  void verify(const std::function<void(const Damage&)>& damaged) const;

 private:
  friend class Folder;
  std::vector<std::unique_ptr<StateFile>> files_;
  std::vector<std::pair<uint32_t, PageMap>> maps_;
};

// The newest checkpoint that can be used, as far as can be told without reading page data; none: CHECKPOINT_MISSING.
uint64_t newest_checkpoint(const std::string& journal_dir);

// Makes a checkpoint complete, so that it needs no other any more. False: it was.
bool fold(const std::string& journal_dir, uint64_t seq);
// Removes one checkpoint; those that build upon it directly are folded first, and named in the answer.
std::vector<uint64_t> remove_checkpoint(const std::string& journal_dir, uint64_t seq);
// A revolving journal: `seq` is made complete, and all older ones are removed. What was removed is the answer.
std::vector<uint64_t> release_before(const std::string& journal_dir, uint64_t seq);

}  // namespace understudy::host::checkpoint
