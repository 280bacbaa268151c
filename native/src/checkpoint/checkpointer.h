// Takes checkpoints of a recording that runs: stops the group at a position of the journal, copies what makes it, lets it go on.
//
// Invariants:
//  - A checkpoint's seq is the journal's last event when the group stood still: a replay that restores it goes on with the next one.
//  - The group stands still only while it is copied; what comes before and after (the disk) it does not wait for.
//  - What goes wrong leaves the group running and no checkpoint behind, and is said.
//
// Must not: be used by two threads at once, or outlive what it is given.
#pragma once
#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>

#include "blob_store.h"
#include "describe.h"
#include "group_state.h"
#include "precopy.h"
#include "process_memory.h"
#include "pump.h"
#include "state_file.h"
#include "tracer.h"
#include "warden.h"

namespace understudy::host::checkpoint {

// What a pause was spent on.
struct PauseParts {
  uint64_t threads_ns = 0;   // all of them stopped, their registers read
  uint64_t journal_ns = 0;   // drained
  uint64_t pages_ns = 0;     // the last rounds
  uint64_t agent_ns = 0;     // the agent's structures
  uint64_t mappings_ns = 0;  // what is mapped, with what is not copied in rounds
  uint64_t kernel_ns = 0;    // the description for replicas
  uint64_t resume_ns = 0;    // until all are let go
  uint64_t given_up = 0;     // pauses before it that came to nothing
  uint64_t given_up_ns = 0;  // the longest of them
};

struct Taken {
  uint64_t seq = 0;
  std::string path;
  uint64_t pause_ns = 0, took_ns = 0;
  PauseParts parts;
  uint64_t page_bytes = 0;  // in the file
  uint32_t rounds = 0;      // of copying while the group ran, at most of one process
  uint64_t last_pages = 0;  // copied while it stood still
  bool incremental = false;
  uint32_t processes = 0, threads = 0;
  bool existed = false;  // there is one of this position already; nothing was written
};

class Checkpointer {
 public:
  Checkpointer(MemoryFile& memory, Warden& warden, Pump& pump, BlobStore& blobs, const Enclosure& enclosure,
               std::string journal_dir, std::string agent_path, uint64_t epoch, uint32_t keep);
  // From now on checkpoints say what the group has open, so that they can become replicas. `standard`: the caller's descriptors of
  // what the group has as its standard input, output, error. Before the first take(). `if_possible`: a checkpoint of a group that cannot be described
  // is better than none; it says why nothing but a replay can be made of it.
  void for_replicas(std::vector<int> standard, bool if_possible = false) {
    standard_ = std::move(standard);
    if_possible_ = if_possible;
  }
  // A new address space, whose writes can be followed from now on. Any thread.
  void track(uint32_t slot, pid_t pid, UniqueFd userfault);
  // With a recipient it is for somebody else, who gets its file: it is written also if there is one of this position, and older ones are left
  // alone. `complete`: it builds on no other.
  // Always from the same thread while the group is the same. Throws HostError: CHECKPOINT_BUSY when the group cannot be stopped at a position that can be restored,
  // CHECKPOINT_UNSUPPORTED when it has something that cannot, CHECKPOINT_WRITE.
  // CHECKPOINT_ENDED: cancel() was called.
  // Both may throw.
  struct Recipient {
    // Most has been copied: soon the group stands still. May take its time.
    std::function<void()> soon;
    // It stands still at the checkpoint: its processes as the host sees them, the journal's last event and the ring offset behind it.
    // False: not at this moment, a later one will do.
    std::function<bool(const std::vector<pid_t>& pids, uint64_t seq, uint64_t ring_offset)> standing;
  };
  Taken take(const Recipient* recipient = nullptr, bool complete = false);
  // The group has ended, or is about to be, or nobody wants one any more: take() returns soon, until allow(). Any thread.
  void cancel() { cancelled_ = true; }
  void allow() { cancelled_ = false; }

 private:
  struct Member {
    uint32_t slot;
    pid_t pid;  // the host's
    std::vector<const abi::ThreadSlot*> threads;
    std::vector<Mapping> mappings;
  };
  // An address space that is followed, and its copy that is under way.
  struct Followed {
    uint32_t images;  // of the slot, when it was new
    pid_t pid;
    UniqueFd userfault;                    // until the first checkpoint: a group that none is taken of pays nothing
    std::unique_ptr<PageTracker> tracker;  // none before that, or when it cannot be followed
    std::unique_ptr<Precopy> precopy;
  };
  struct SharedObject {
    uint32_t space;
    SharedState state;
    std::string name;
    uint64_t end = 0;
    std::vector<std::pair<uint64_t, uint64_t>> read;  // [offset, end) that are in the file already
  };
  std::optional<CheckpointRef> base() const;
  void copy_ahead(StateWriter* writer);
  void copy_again();
  void copy_new_ahead(const std::vector<Member>& members, StateWriter* writer);
  bool has_new(const std::vector<Member>& members);
  void copy_one_ahead(uint32_t slot, Followed* space, StateWriter* writer);
  // Null: not this address space. It stays while it is used, also when its process has another one by then.
  std::shared_ptr<Followed> followed(uint32_t slot);
  void begin_to_follow();
  Taken take_one(const Recipient* recipient, bool complete);
  bool is_there(uint64_t seq, bool complete) const;
  bool stand(const Recipient& recipient, const std::vector<Member>& members) const;
  void release_old(uint64_t seq);
  // Between pause() and resume(): what is there. False: not now.
  bool find_members(std::vector<Member>* members) const;
  bool last_rounds(const std::vector<Member>& members);
  void write_last_rounds(const std::vector<Member>& members);
  bool is_settled(const Member& member, const abi::ThreadSlot& thread, const ThreadRegisters& at) const;
  bool changes_nothing(const Member& member, const abi::ThreadSlot& thread) const;
  // The same from afar, as far as it can be told without stopping anybody.
  bool look_settled(const std::vector<Member>& members) const;
  KernelObjects read_kernel(const std::vector<Member>& members) const;
  KernelObjects kernel_or_why_not(const std::vector<Member>& members) const;
  bool read_threads(const std::vector<Member>& members, bool last_try, GroupState* group);
  void read_agent_data(const Member& member, GroupState* group);
  void read_process(Member& member, GroupState* group, Manifest* manifest, StateWriter* writer);
  Region read_mapping(const Mapping& m, uint32_t space, bool copied, const ProcessMemory& memory, StateWriter* writer);
  void read_named_memory(pid_t pid, StateWriter* writer);
  void read_shared(const Mapping& m, const ProcessMemory& memory, StateWriter* writer);
  bool read_file_of(const Mapping& m, uint64_t dev, uint64_t ino, pid_t pid, SharedObject* object, StateWriter* writer);
  bool read_mapped_file(const Mapping& m, pid_t pid, SharedObject* object, StateWriter* writer);
  void copy_late(const ProcessMemory& memory, const Mapping& m, uint32_t space);
  void write_late(StateWriter* writer);
  void copy(const ProcessMemory& memory, uint64_t address, uint64_t bytes, uint32_t space, uint64_t at, bool skip_zeros,
            StateWriter* writer);
  const Capture* capture_of(const Mapping& m) const;
  bool is_captured(const TrackedMapping& m) const;
  void read_family(pid_t pid, ProcessState* state) const;
  void find_ended(const std::vector<Member>& members, GroupState* group) const;
  std::string emits_of(pid_t pid) const;
  uint32_t space_of(const std::string& key);

  MemoryFile& memory_;
  Warden& warden_;
  Pump& pump_;
  BlobStore& blobs_;
  const Enclosure& enclosure_;
  const std::string journal_dir_, agent_path_;
  const uint64_t epoch_;
  const uint32_t keep_;
  std::optional<std::vector<int>> standard_;
  bool if_possible_ = false;
  bool settle_ = false;  // this time the description must not be ahead of the journal
  std::string agent_sha_;
  std::atomic<bool> cancelled_{false};
  Tracer tracer_;
  // What was copied while the group stood still, of spaces that are followed: it is newer than their last rounds, which are written later.
  struct Late {
    uint32_t space;
    uint64_t begin, pages;
    std::vector<std::pair<uint64_t, std::vector<uint8_t>>> data;  // by address; what is not there is zero
  };
  std::vector<Late> late_;
  std::vector<Capture> captures_;           // while one is being taken
  std::vector<std::string> capture_names_;  // their hashes
  std::map<std::string, SharedObject> shared_;
  std::mutex followed_mutex_;  // the map; what is in it is the checkpointing thread's
  std::map<uint32_t, std::shared_ptr<Followed>> followed_;
  std::optional<CheckpointRef> last_;
  uint32_t increments_ = 0;  // since the last complete one
  std::map<std::string, uint32_t> spaces_;
  std::vector<uint8_t> buffer_;
};

}  // namespace understudy::host::checkpoint
