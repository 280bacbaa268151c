// A recording and a replay: the pieces put together, in the order in which they start and stop.
//
// Invariants:
//  - `ended` is the last event of a session and comes exactly once.
//  - Nothing of a session is left behind: no process (but a guest that was asked to run on), no thread, no file outside the
//    journal and the cache.
//
// Must not: know anything about Node; events are plain data.
#pragma once
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "checkpoint/checkpointer.h"
#include "checkpoint/restore_plan.h"
#include "feeder.h"
#include "plain.h"
#include "pump.h"
#include "service.h"
#include "unwind.h"

namespace understudy::host {

using EmitEvent = std::function<void(Plain::Object)>;

struct RecordOptions {
  std::vector<std::string> argv, env;
  std::string cwd, journal_dir, cache_dir, agent_path;
  uint64_t ring_bytes, segment_bytes, epoch;
  uint64_t ignored_signals = 0;
  uint32_t kick_after_ms;
  bool continue_on_journal_error;
  uint64_t checkpoint_every_ms = 0;  // 0: only when asked
  // A primary's journal, which hot replicas can follow; no output waits, for there is no backup.
  bool as_primary = false;
  bool checkpoint_kernel = false;  // they say what the program has open, too: replicas can be made of them
  uint32_t checkpoint_keep = 0;    // so many of the newest; 0: all
  std::optional<Namespaces> isolation;
};

struct ReplayOptions {
  std::string journal_dir, agent_path, stub_path, scratch_dir, cache_dir;
  uint64_t until_seq, ring_bytes;
  uint64_t from_seq = 0;  // of a checkpoint of this journal; 0: from the beginning
  bool quiet;
  // With a PID namespace: of a journal that was recorded in one. Then processes and threads have the numbers that they had.
  std::optional<Namespaces> isolation;
};

// Common to both: a thread of its own ends the session, since the threads that notice the end cannot join themselves.
class Session {
 public:
  virtual ~Session() = default;
  virtual Plain::Object stats() = 0;
  virtual void kill(int signal) = 0;
  pid_t pid() const { return pid_; }

 protected:
  void finish_soon();
  void wait_finish();

  pid_t pid_ = -1;
  std::mutex finish_mutex_;
  std::condition_variable finish_changed_;
  bool finish_ = false;
};

class RecordSession : public Session {
 public:
  // Throws HostError when the guest cannot be started; then no event is emitted.
  RecordSession(const RecordOptions& options, EmitEvent emit);
  ~RecordSession() override;
  Plain::Object stats() override;
  void kill(int signal) override;
  // Takes one soon; an event `checkpoint` or `checkpointFailed` with this number follows.
  void request_checkpoint(uint64_t request);

 private:
  void finish();
  void run_checkpoints();
  void stop_checkpoints();
  void take_checkpoint(uint64_t request);
  void on_pump_failure(const PumpFailure& failure);
  void on_fault();

  EmitEvent emit_;
  const bool continue_on_journal_error_;
  const uint64_t started_ns_;
  MemoryFile memory_;
  BlobStore blobs_;
  SiteStore sites_;
  SegmentWriter writer_;
  std::atomic<bool> killed_{false}, faulted_{false}, journal_error_{false};
  Enclosure enclosure_;
  std::unique_ptr<Guard> guard_;
  std::unique_ptr<Launcher> launcher_;
  std::unique_ptr<Warden> warden_;
  std::unique_ptr<Pump> pump_;
  std::unique_ptr<Service> service_;
  const uint64_t checkpoint_every_ms_;
  std::unique_ptr<checkpoint::Checkpointer> checkpointer_;
  std::mutex checkpoint_mutex_;
  std::condition_variable checkpoint_changed_;
  std::vector<uint64_t> checkpoint_requests_;
  bool checkpoints_over_ = false;
  std::thread checkpoint_thread_;
  std::thread finisher_;
};

class ReplaySession : public Session {
 public:
  ReplaySession(const ReplayOptions& options, EmitEvent emit);
  ~ReplaySession() override;
  Plain::Object stats() override;
  void kill(int signal) override;

 private:
  void finish();
  void on_outcome(abi::Outcome outcome);
  void on_group_ended();
  Plain::List stack(const uint64_t regs[18], pid_t pid, pid_t tid);
  void kill_all();

  EmitEvent emit_;
  const uint64_t started_ns_;
  MemoryFile memory_;
  BlobStore blobs_;
  SiteStore sites_;
  std::mutex mutex_;
  Cut cut_;
  bool reaped_ = false;
  std::atomic<bool> killed_{false};
  std::atomic<uint32_t> outcome_{abi::kRunning};
  Enclosure enclosure_;
  std::unique_ptr<Guard> guard_;
  std::unique_ptr<Launcher> launcher_;
  std::unique_ptr<Warden> warden_;
  std::unique_ptr<checkpoint::Restore> restore_;
  std::unique_ptr<Feeder> feeder_;
  std::unique_ptr<Service> service_;
  std::thread finisher_;
};

}  // namespace understudy::host
