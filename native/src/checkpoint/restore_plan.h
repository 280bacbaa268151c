// From a checkpoint to a replay that begins there: what the agent has to make (abi::RestorePlan), what it finds in the scratch
// directory, and what Control says before its first instruction.
//
// Invariants:
//  - With kFlagShadow the group gets its descriptors again, too (descriptor_plan.h); a checkpoint that says nothing of them is refused.
//  - The state file is checked before anything is made of it; its pages' checksums as far as they are copied here, the others by
//    `checkpoint verify` only: there are many.
//
// Must not: start anything.
#pragma once
#include <memory>

#include "blob_store.h"
#include "descriptor_plan.h"
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
  // Reads all pages. Before anything runs on them: a flipped bit in memory would come out as a divergence, or as nothing at all. Any thread.
  // Throws DamageError.
  void verify() const { chain_.verify(); }
  const GroupState& group() const { return group_; }
  const Manifest& manifest() const { return chain_.manifest(); }
  const StateChain& chain() const { return chain_; }
  uint64_t first_pid() const { return uint64_t(group_.processes.front().pid); }

  // What the group had of the kernel, if the checkpoint was taken for replicas: pids as the group knows them.
  const std::optional<KernelObjects>& kernel() const { return kernel_; }
  // Of a replica, after prepare(): what will not be as it was.
  const std::vector<std::string>& warnings() const { return warnings_; }

  // `scratch_dir`: as the host finds it. With `binds` the replay has a mount namespace, and what lies elsewhere is bound into it.
  void prepare(MemoryFile& memory, BlobStore& blobs, const std::string& agent_path, const std::string& scratch_dir,
               std::vector<Bind>* binds);
  // When the replica's namespaces are there, and nobody is in them: what processes find by name in /dev/shm. `root`: of Enclosure.
  void place_named(const std::string& root, const std::string& scratch_dir) const;

 private:
  void check(const MemoryFile& memory, const std::string& agent_path, const std::string& blob_dir) const;
  void write_blobs(BlobStore& blobs, const std::string& scratch_dir, const std::string& guest_blob_dir) const;
  void write_shared(const std::string& scratch_dir) const;
  DescriptorPlan plan_kernel(const abi::Control& control, PlanBytes* out) const;
  void write_plan(const abi::Control& control, const std::string& scratch_dir);
  void link_pages(const std::string& scratch_dir, std::vector<Bind>* binds) const;
  void set_control(abi::Control& control) const;

  StateChain chain_;
  GroupState group_;
  std::optional<KernelObjects> kernel_;
  std::vector<std::string> warnings_;
  std::vector<uint64_t> unix_names_;
};

}  // namespace understudy::host::checkpoint
