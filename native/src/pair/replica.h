// A hot replica: a group of processes that replays events as they arrive, with shadow descriptors, and can go live.
//
// The order of a takeover, as seen from here:
//   1. feed() has been called with every event that the primary's backup holds; no more will come;
//   2. drain(): the replica makes the outputs that need no further event (agent/src/live.h) and stands still;
//   3. the caller puts connections into the shadow sockets of pids();
//   4. go_live(): from here on this is a recording, which continues the journal under a new epoch.
//
// Invariants:
//  - Every event that is fed is in this host's journal as well, so that the journal survives the primary.
//  - Nothing of the group is left behind when this is destroyed.
//
// Must not: know where events come from, or decide when to take over.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>

#include "checkpoint/restore_plan.h"
#include "pair/running_group.h"
#include "plain.h"
#include "pump.h"
#include "ring_feeder.h"
#include "service.h"

namespace understudy::host {

struct ReplicaOptions {
  std::string journal_dir, agent_path, stub_path, scratch_dir, cache_dir;
  std::string output_path;  // where the guest's standard output and error go; empty: /dev/null
  bool is_command = false;  // instead it has the caller's standard input, output, error, and session
  std::vector<std::string> shared_paths;
  uint64_t ring_bytes, segment_bytes, epoch;
  uint32_t kick_after_ms;
  std::optional<Namespaces> isolation;
  // 0: from the journal's beginning. Otherwise from this checkpoint, which lies in journal_dir with the blobs that it needs, and was taken for
  // replicas; the first event that is fed is the one behind it.
  uint64_t from_seq = 0;
  bool durable = false;  // segments are synced when they are full; the newest by whoever calls segment()
};

class Replica {
 public:
  struct Hooks {
    std::function<void(abi::MessageLevel, const std::string&)> message;
    // It left the journal, or its agent failed: there is no protection any more.
    std::function<void(Plain::Object)> diverged;
    std::function<void(const PumpFailure&)> journal_failed;
    // Every process of the group is gone: replaying, the guest's end came through the journal; live, it ended itself.
    std::function<void(int status, bool live)> ended;
    // Live. A process was killed from outside; true: that is not to be recorded, somebody else goes on. May be empty.
    std::function<bool(bool root, int signal)> killed;
    // Live. See Service::Hooks. May be empty.
    std::function<void(const std::string& path, const Sha256& sha)> new_blob;
    std::function<void(uint32_t slot, pid_t pid, UniqueFd userfault)> track;
  };
  Replica(const ReplicaOptions& options, Hooks hooks);
  ~Replica();

  // From a checkpoint: every process and thread is there. Before it, is_restored() is false.
  bool is_restored() const;
  const checkpoint::Restore* restore() const { return restore_.get(); }
  // Of the primary's socket of IP with this SO_COOKIE in the checkpoint, that of the shadow; 0: there is none. When it is restored.
  uint64_t shadow_cookie(uint64_t cookie) const;

  // Whole events, in order. Waits while the replica is behind by more than the ring holds. False: the replica is over.
  bool feed(uint64_t first_seq, uint64_t count, const uint8_t* events, size_t len);
  // What was fed before the call, as something that can be synced while more is fed.
  SegmentWriter::Current segment();
  // "": it stands; otherwise why it does not.
  std::string drain(int timeout_ms);
  // 0 or an errno of the journal.
  // mono_offset_ns: the guest's monotonic time minus this host's.
  std::optional<IoError> go_live(uint64_t epoch, int64_t mono_offset_ns);
  void kill();
  int signal_root(int signal) { return warden_->signal_root(signal); }

  bool live() const { return live_; }
  // The guest's descriptor `fd` of process `pid`, in the numbers of the checkpoint; empty with errno. When it is restored.
  UniqueFd descriptor(int64_t pid, int32_t fd) const;
  // Live, when the group has ended: closes the journal.
  void finish_journal() { pump_->finish(); }
  // Live.
  struct Journal {
    uint64_t events, bytes, journal_bytes;
    uint32_t segments;
  };
  Journal journal() const { return {pump_->events(), pump_->bytes(), writer_.journal_bytes(), writer_.segments()}; }
  std::optional<RootEnd> root_end() { return launcher_->reap_root(); }
  Warden& warden() { return *warden_; }
  // After go_live().
  RunningGroup group() { return {*warden_, *pump_, blobs_, journal_dir_, agent_path_, epoch_, output_.get()}; }
  const Enclosure& enclosure() const { return enclosure_; }
  std::vector<pid_t> pids() const;
  MemoryFile& memory() { return memory_; }
  BlobStore& blobs() { return blobs_; }
  uint64_t fed_events() const { return feeder_.published(); }
  uint64_t applied_events() const { return load_acquire(memory_.control().ring.tail_seq); }
  // Ring offsets: bytes fed, bytes that the replica has executed.
  uint64_t fed_bytes() const { return load_acquire(memory_.control().ring.head); }
  uint64_t applied_bytes() const { return load_acquire(memory_.control().ring.tail); }
  uint64_t journal_bytes() const { return writer_.journal_bytes(); }
  pid_t pid() const { return pid_; }

 private:
  void on_outcome(abi::Outcome outcome);

  Hooks hooks_;
  const uint64_t segment_bytes_;
  const std::string journal_dir_, agent_path_;
  uint64_t epoch_;
  MemoryFile memory_;
  BlobStore blobs_;
  SiteStore sites_;
  Enclosure enclosure_;
  SegmentWriter writer_;
  RingFeeder feeder_;
  std::mutex feed_mutex_;
  std::atomic<bool> live_{false}, over_{false};
  std::unique_ptr<checkpoint::Restore> restore_;
  std::unique_ptr<Guard> guard_;
  std::unique_ptr<Launcher> launcher_;
  std::unique_ptr<Warden> warden_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<Pump> pump_;
  UniqueFd output_;
  pid_t pid_ = -1;
};

}  // namespace understudy::host
