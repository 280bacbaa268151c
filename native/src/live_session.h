// A recording's checkpoint that goes on live: restored as a replica of which nothing follows (pair/replica.h), then let go, and recorded from there.
//
// The order, and why:
//   1. what the machine lacks is found out (checkpoint/live_check.h), before anything is there;
//   2. the replica is made; its pages are checked meanwhile, and nothing of the guest runs before they are found right;
//   3. it is drained: threads that were in their own code go on to their next event;
//   4. listening sockets listen and connections are reset (checkpoint/resets.h): no thread runs, so none sees anything in between;
//   5. it goes live. Its monotonic clock goes on where the checkpoint has it.
//
// Invariants:
//  - `ended` is the last event and comes exactly once; `live` or `restoreFailed` comes before it, unless kill() came first.
//  - The checkpoint's journal is not written to. The new one begins behind the checkpoint, which it contains.
//
// Must not: know anything about Node; events are plain data.
#pragma once
#include "pair/replica.h"
#include "session.h"

namespace understudy::host {

struct LiveOptions {
  std::string checkpoint_journal;  // what the checkpoint belongs to
  uint64_t from_seq;
  std::string journal_dir;  // the new one
  std::string cache_dir, agent_path, stub_path, scratch_dir;
  uint64_t ring_bytes, segment_bytes;
  uint32_t kick_after_ms;
  Namespaces isolation;
};

class LiveSession : public Session {
 public:
  // Throws HostError when it cannot be begun; then no event is emitted.
  LiveSession(const LiveOptions& options, EmitEvent emit);
  ~LiveSession() override;
  Plain::Object stats() override;
  void kill(int signal) override;

 private:
  void restore();
  void bring_back();
  void tell_failure(const std::string& code, const std::string& text);
  void finish();

  EmitEvent emit_;
  const uint64_t started_ns_;
  const std::string journal_dir_;
  const uint64_t from_seq_;
  uint64_t epoch_ = 0;
  std::unique_ptr<Replica> replica_;  // until finish()
  std::mutex standing_mutex_;         // stats() and kill() against finish()
  std::atomic<bool> stopping_{false}, killed_{false}, failed_{false}, journal_error_{false};
  std::atomic<int> status_{0};
  std::thread restorer_, finisher_;
};

}  // namespace understudy::host
