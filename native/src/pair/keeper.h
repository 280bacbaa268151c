// Keeps a group's Protection: the one that it has from its start, one that is attached while it runs, or none. Also the one after that: a
// group that has lost its backup gets another.
//
// What attaching does, on a thread of its own: connects; copies the guest's own files, as far as it takes them along, and its memory, while it
// runs; puts up the gate; takes a checkpoint of what has changed, in whose standstill the journal, the packets
// and the state of all connections begin to go to the new backup; sends the checkpoint. "synchronised" follows when the backup has
// restored it and executed the journal since. Until protect() outputs wait for nobody, and a backup that is lost is given up again.
//
// A passive backup gets further states, each of what has changed since the one before, for as long as it has the mirror.
//
// Events: attached, stateSent, synchronised, attachFailed; see native/pair.ts.
//
// Invariants:
//  - There is one Protection at a time. The pump taps it from the mark on, and until it is replaced.
//  - A death that is recorded is never a failover, and the other way round: covers() says which.
//
// Must not: decide when outputs begin or cease to wait; that is the caller's.
#pragma once
#include <thread>

#include "checkpoint/checkpointer.h"
#include "pair/protection.h"
#include "pair/running_group.h"
#include "pair/storage_transfer.h"

namespace understudy::host {

// Common to all backups that the group may get.
struct KeeperOptions {
  std::optional<GateConfig> gate;
  bool durable = false;
  uint64_t rpo_ms = 0, rpo_bytes = 0;
};

struct AttachOptions {
  MirrorConfig mirror;
  // Where clients' packets are sent on to when it has taken over (GateConfig); none: to the mirror's address.
  std::optional<Address> forward_to;
  std::vector<StorageRoot> storage;  // what of its own files the guest takes along
  uint64_t state_every_ms = 0;       // to a passive backup; 0: it executes, and one state is enough
};

class Keeper {
 public:
  Keeper(KeeperOptions options, MemoryFile& memory, const Enclosure& enclosure, EmitEvent emit);
  // stop() was called.
  ~Keeper();

  // From the group's start, before there is a pump: it taps tap().
  void begin(const MirrorConfig& mirror);
  Pump::Tap tap();
  // The group records: from now on attach() is possible.
  void adopt(RunningGroup group);

  // Returns at once. Throws HostError PAIR when there is a backup, or one is being attached.
  void attach(const AttachOptions& options);
  void protect();
  // Outputs wait for nobody; what is being attached is given up.
  void go_unprotected();
  // Whether the backup goes on when the group is killed.
  bool covers();
  // A member was killed from outside. True: the backup goes on, and it is not to be recorded; the group is at its end. "guestLost" is emitted.
  bool on_killed(bool root, int signal);
  bool lost_guest() const { return lost_guest_; }
  // False: there is nothing to fence with in the kernel. See Protection::fence.
  bool fence(const std::string& reason, bool release);
  void blob(const std::string& path, const Sha256& sha);
  void track(uint32_t slot, pid_t pid, UniqueFd userfault);
  void add_stats(Plain::Object& out);

  // The group has ended, or ends: nothing is attached any more.
  void stop();
  // Says farewell, and is of no further use. True: clients' packets are sent on to the backup, until discard().
  bool close(const std::string& reason);
  // The group is gone: what is left of its connections ends, too, and the gate after that.
  void discard();

 private:
  std::shared_ptr<Protection> current();
  void run_attach(const ProtectionOptions& options, const AttachOptions& wanted);
  void attach_one(const std::shared_ptr<Protection>& to, const std::vector<StorageRoot>& storage, std::string* failed);
  bool is_over(const Protection& to);
  void give_up_if_over(const Protection& to);
  std::function<void(uint64_t, uint64_t)> progress();
  std::unique_ptr<StorageTransfer> transfer_to(Protection& to, const std::vector<StorageRoot>& storage);
  void send_one(Protection& to, StorageTransfer* storage, bool first);
  void send_more(Protection& to, uint64_t every_ms);
  void replace(std::shared_ptr<Protection> by);

  const KeeperOptions options_;
  MemoryFile& memory_;
  const Enclosure& enclosure_;
  EmitEvent emit_;
  std::optional<RunningGroup> group_;
  std::unique_ptr<checkpoint::Checkpointer> checkpointer_;
  std::atomic<bool> lost_guest_{false};
  std::mutex mutex_;  // of what follows
  struct Tracked {
    uint32_t slot;
    pid_t pid;
    UniqueFd userfault;
  };
  std::vector<Tracked> tracked_;  // before adopt()
  std::shared_ptr<Protection> protection_;
  bool attaching_ = false, given_up_ = false, stopped_ = false;
  std::condition_variable changed_;
  std::string sent_path_;  // the newest state's file, upon which the next one builds
  uint64_t states_ = 0, state_bytes_ = 0, state_at_ns_ = 0, state_offset_ = 0;
  std::thread attacher_;
};

}  // namespace understudy::host
