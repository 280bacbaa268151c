// A backup: the far end of a primary's mirror, with a hot replica that can become the original.
//
// Order of a takeover (each is a stage of the timeline):
//   fence    nothing is acknowledged any more (the mirror does that before it says that it is lost)
//   drain    what was received is in the replica and in the connection table; the replica stands (Replica::drain)
//   arp, probe, repair, vip, resume    Takeover (net/takeover.h)
//   live     the guest goes on
//
// A backup of a group that ran before it (from_checkpoint) has no replica at first: the mirror brings the state, then it is made, and the
// journal waits for it in memory. A passive one makes it in the takeover only, of the last state that came whole, and keeps of the journal
// what comes behind that state's mark. Once live the guest may get a backup itself (keeper.h).
//
// Invariants:
//  - What was acknowledged is executed before going live, all of it.
//  - It takes over only when told to, and once.
//
// Must not: claim the epoch; that is the caller's before take_over().
#pragma once
#include <deque>
#include <future>

#include "mirror/receiver.h"
#include "net/net_ring.h"
#include "net/takeover.h"
#include "pair/keeper.h"
#include "pair/records.h"
#include "pair/replica.h"
#include "session.h"
#include "storage/tree_target.h"

namespace understudy::host {

struct BackupOptions {
  ReplicaOptions replica;
  MirrorConfig mirror;
  std::optional<GateConfig> network;
  bool from_checkpoint = false;      // the mirror begins with the state of a group that runs
  bool passive = false;              // with from_checkpoint, and not durable
  std::vector<std::string> storage;  // the guest's own directories here, where the primary brings what is in its own
  bool durable = false;              // sync what is written, and say so
  uint64_t
      lag_bytes_max = 0;  // what the replica may be behind before the mirror is slowed down; 0: what its ring holds
};

inline constexpr uint64_t kTableBytesMax = 512ull << 20;  // of all connections

// What a replica is made of: the state at a mark of the mirror (records.h).
struct ReceivedState {
  uint64_t seq = 0, position = 0, bytes = 0;
  int64_t guest_clock_ns = 0;              // the guest's monotonic time minus the primary's host's
  std::unique_ptr<ConnectionTable> table;  // of all but the first: table_ is of the last that is complete
};

class BackupSession : public Session {
 public:
  BackupSession(const BackupOptions& options, EmitEvent emit);
  ~BackupSession() override;
  Plain::Object stats() override;
  void kill(int signal) override;

  uint16_t port() const { return receiver_->port(); }
  void stop_acknowledging(const std::string& why);
  // In the background; "live" or "takeoverFailed" follows.
  void take_over(uint64_t epoch);
  // ---- after going live; see keeper.h ----
  void attach_backup(const AttachOptions& options);
  void protect();
  void go_unprotected();
  void fence(const std::string& reason, bool release);

 private:
  struct Fed {
    uint64_t position, ring_end;
  };
  void on_record(const MirrorRecord& record);
  void on_journal(const MirrorRecord& record);
  void on_blob(const MirrorRecord& record);
  void on_packet(const MirrorRecord& record);
  void on_socket(const MirrorRecord& record);
  void on_mark(const MirrorRecord& record);
  void on_state(const MirrorRecord& record);
  void on_storage(const MirrorRecord& record);
  void make_replica(const ReplicaOptions& options);
  void restore();
  void restore_from(const ReceivedState& state);
  void wake_passive();
  void on_complete_state();
  void fold_states(uint64_t seq);
  std::unique_ptr<ConnectionTable> new_table() const;
  bool take_pending();
  bool keep_for_later(const MirrorRecord& record);
  bool feed(uint64_t position, uint64_t seq, std::span<const uint8_t> data);
  void note_written(uint64_t position, uint64_t seq);
  void remove_vip();
  void begin_guest_messages();
  void do_take_over(uint64_t epoch);
  void update_applied();
  void keep_durable();
  void fail_replica(Plain::Object why);
  void finish();
  void close();

  EmitEvent emit_;
  const bool durable_, passive_;
  const uint64_t lag_bytes_max_;
  const std::vector<std::string> storage_dirs_;
  const std::optional<GateConfig> network_;
  ReplicaOptions replica_options_;
  std::unique_ptr<Replica> replica_;  // from_checkpoint: when ready_ is set
  std::unique_ptr<Keeper> keeper_;    // of the replica, for when it is live
  // For the threads that run while it is made; and of its end, since JavaScript asks and orders until it has heard of the session's.
  std::atomic<Replica*> standing_replica_{nullptr};
  std::mutex standing_mutex_;
  // Of a state that comes: on the consumer's thread, but for what the restoring thread takes of the journal that waits.
  struct Pending {
    uint64_t position, seq;
    std::vector<uint8_t> bytes;
  };
  std::vector<SocketState> sockets_;
  std::optional<ReceivedState> coming_, complete_;
  UniqueFd state_;
  std::unique_ptr<storage::TreeTarget> storage_;
  std::atomic<uint64_t> states_{0}, state_bytes_{0}, state_at_ns_{0};
  std::thread folder_;
  std::atomic<bool> folding_{false};
  std::mutex pending_mutex_;
  std::deque<Pending> pending_;
  std::atomic<uint64_t> pending_bytes_{0};
  // A replica executes what waits, and takes everything that comes itself: until then nothing takes out of memory what the mirror brings.
  std::atomic<bool> restored_{false}, ready_;
  std::thread restorer_;
  std::unique_ptr<ConnectionTable> table_;
  std::unique_ptr<NetRingReader> net_reader_;
  std::unique_ptr<Takeover> takeover_;
  std::unique_ptr<Vip> vip_;
  std::mutex fed_mutex_;
  std::deque<Fed> fed_;
  // Of the thread that syncs: up to where records are in the journal's file.
  std::mutex written_mutex_;
  std::condition_variable written_changed_;
  uint64_t written_ = 0, written_seq_ = 0;
  bool no_more_written_ = false;
  std::mutex end_mutex_;
  std::condition_variable ended_changed_;
  bool records_over_ = false;
  std::atomic<bool> replica_over_{false}, released_{false}, taking_over_{false}, said_caught_up_{false},
      closing_{false};
  std::atomic<uint64_t> bytes_{0}, lost_at_ns_{0};
  std::unique_ptr<MirrorReceiver> receiver_;
  std::thread syncer_, takeover_thread_, finisher_;
};

}  // namespace understudy::host
