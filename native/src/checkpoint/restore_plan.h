// From a checkpoint to a replay that begins there: what the agent has to make (abi::RestorePlan), what it finds in the scratch
// directory, and what Control says before its first instruction.
//
// Invariants:
//  - The state file is checked before anything is made of it; its pages' checksums as far as they are copied here, the others by
//    `checkpoint verify` only: they are mapped, and mostly never touched.
//
// Must not: start anything.
#pragma once
#include <memory>

#include "blob_store.h"
#include "group_state.h"
#include "memory_file.h"
#include "namespaces.h"
#include "state_chain.h"

namespace understudy::host::checkpoint {

class Restore {
 public:
  // Throws HostError CHECKPOINT_*.
  Restore(const std::string& journal_dir, uint64_t seq);
  uint64_t seq() const { return chain_.manifest().self.seq; }
  const GroupState& group() const { return group_; }
  uint64_t first_pid() const { return uint64_t(group_.processes.front().pid); }

  // `scratch_dir`: as the host finds it. With `binds` the replay has a mount namespace, and what lies elsewhere is bound into it.
  void prepare(MemoryFile& memory, BlobStore& blobs, const std::string& agent_path, const std::string& scratch_dir,
               std::vector<Bind>* binds);

 private:
  void check(const MemoryFile& memory, const std::string& agent_path, const std::string& blob_dir) const;
  void write_blobs(BlobStore& blobs, const std::string& scratch_dir, const std::string& guest_blob_dir) const;
  void write_shared(const std::string& scratch_dir) const;
  void write_plan(const std::string& scratch_dir) const;
  void link_pages(const std::string& scratch_dir, std::vector<Bind>* binds) const;
  void set_control(abi::Control& control) const;

  StateChain chain_;
  GroupState group_;
};

}  // namespace understudy::host::checkpoint
