// What protects a running group: the mirror that its journal goes to, the gate and the flows of its clients' packets, and how much of all
// that the backup holds. A group has one from its start, or gets one while it runs; one that was opened or fenced is of no further use.
//
// Threads: the pump mirrors the journal (tap), the gate's thread packets; the mirror's progress thread says what the backup holds, which
// lets agents (Pair::held) and the gate go on. Nothing on these paths waits for JavaScript.
//
// One for a group that runs is made in steps: it connects; begin_gate(); mark(), while the group stands still; then what the group was at
// the mark (send_state(), blob()); protect(), when the new backup has caught up.
//
// Invariants:
//  - While outputs wait, Pair::held never passes what the backup has acknowledged. They wait from the start, or from protect() on, until
//    go_unprotected(): then it is ~0 for good.
//  - After fence() nothing of the service leaves this host, and Release is mirrored only after that.
//
// Must not: decide to go unprotected, or reconnect; end the guest.
#pragma once
#include <condition_variable>
#include <deque>

#include "mirror/sender.h"
#include "namespaces.h"
#include "net/flows.h"
#include "net/gate.h"
#include "net/guest_watch.h"
#include "pair/records.h"
#include "pi_mutex.h"
#include "plain.h"
#include "session.h"

namespace understudy::host {

struct ProtectionOptions {
  MirrorConfig mirror;
  std::optional<GateConfig> gate;
  bool durable = false;  // outputs wait for the backup's disk, not for its memory only
  // RPO > 0: outputs go on while no more than this is on its way. Both 0: nothing may be lost.
  uint64_t rpo_ms = 0, rpo_bytes = 0;
  bool passive = false;  // the backup executes nothing before it takes over
};

class Protection {
 public:
  // Connects in the background. `waits`: outputs wait from now on; no guest runs yet. Otherwise see above. Throws HostError.
  Protection(const ProtectionOptions& options, MemoryFile& memory, const Enclosure& enclosure, EmitEvent emit,
             bool waits);
  // close() was called, and nobody taps.
  ~Protection();

  // Pump::Tap.
  void tap(uint64_t first_seq, uint64_t count, const uint8_t* events, size_t len, uint64_t end);
  // A mapped file's contents, before the event that names it.
  void blob(const std::string& path, const Sha256& sha);

  // ---- of a group that runs ----
  // nullopt: it stands. Otherwise why it does not.
  std::optional<std::string> wait_connected(uint32_t timeout_ms);
  // From now on, until this one is lost or opened, clients' packets reach the group when the backup has them. Throws HostError NET; then there
  // is no gate.
  void begin_gate();
  // The group stands still, and nobody taps before the first: what follows is the journal behind event `seq`, which ends at `ring_offset`.
  // Further marks are of a passive backup's further states. False, where this is allowed: a connection waits to be accepted, of which the
  // new backup would not know enough. pids: as this host sees them. Throws HostError NET.
  [[nodiscard]] bool mark(const std::vector<pid_t>& pids, uint64_t seq, uint64_t ring_offset, bool may_refuse);
  // The checkpoint that was taken at the mark, and at its end whether all of it could be sent. `progress`, which may be empty, is told of bytes of the whole.
  // Throws HostError.
  bool send_state(const std::string& path, uint64_t seq, const std::function<void(uint64_t, uint64_t)>& progress);
  // A record of storage (storage/tree_records.h). False: the backup is lost.
  bool storage(const std::string& record);
  // "synchronised" was emitted: from now on outputs wait for the backup.
  void protect();
  bool waits() const { return waits_; }
  // Before protect(), every few milliseconds: where the new backup has had its state for a while and does not get any nearer to what the
  // group does now, outputs go at the pace at which it does, for ten seconds at most. None waits for longer than two steps of 15 ms for
  // that. (What hypervisors do to a guest that writes faster than its memory can be moved away: slow it down, more and more.)
  void pace();
  // Before protect(): returns what the backup was lost by, or "" when it was not within this time.
  std::string wait_lost(uint32_t timeout_ms);

  // Also after a fence() with `release`, when nobody has taken over.
  void go_unprotected();
  // Returns when nothing can leave any more. release: the backup is told.
  void fence(const std::string& reason, bool release);
  // Says farewell to the backup; from here on nothing is mirrored.
  void close(const std::string& reason);

  bool is_open() const { return opened_; }
  bool is_lost() const { return sender_->lost(); }
  bool fenced() const { return fenced_; }
  bool has_gate() const { return standing_gate_ != nullptr; }
  // Whether the old primary's kernel sends clients' packets on to the backup.
  bool diverts() const { return fenced_ && gate_ != nullptr; }
  // The same names as PrimarySession::stats().
  void add_stats(Plain::Object& out);

 private:
  struct Sent {
    uint64_t position, ring_end, seq, at_ns;
  };
  void make_sender(const MirrorConfig& config, uint64_t lease_ns);
  void make_gate(const GateConfig& config);
  uint64_t record_mark(const std::vector<SocketState>& sockets, uint64_t seq, uint64_t ring_offset);
  bool append_bulk(PairRecord type, uint64_t seq, const iovec* parts, int count);
  void say_synchronised_locked(uint64_t applied);
  void say_protected_locked();
  void begin_flows(const GateConfig& config);
  void let_packets_go();
  uint64_t mirror_packet(Direction direction, std::span<const uint8_t> packet);
  void on_watermarks(const Watermarks& marks);
  void raise_held(uint64_t to);
  void relax_locked(uint64_t end);
  bool is_behind_locked() const;

  MemoryFile& memory_;
  const Enclosure& enclosure_;
  EmitEvent emit_;
  const std::optional<GateConfig> gate_config_;
  const bool durable_, passive_;
  const uint64_t rpo_ns_, rpo_bytes_;
  std::unique_ptr<GuestWatch> watch_;
  std::unique_ptr<MirrorSender> sender_;
  std::unique_ptr<Flows> flows_;
  std::unique_ptr<Gate> gate_;
  // The same, for the threads that run while these are made.
  std::atomic<MirrorSender*> standing_mirror_{nullptr};
  std::atomic<Gate*> standing_gate_{nullptr};
  std::atomic<Flows*> standing_flows_{nullptr};
  PiMutex sent_mutex_;
  std::deque<Sent> sent_;       // not held yet
  std::deque<Sent> unapplied_;  // not executed by the replica yet
  // Under sent_mutex_, and of a group that ran before: positions of the mark, of the journal's last record, and of what the backup has to
  // have executed to be called synchronised.
  uint64_t mark_position_ = 0, journal_position_ = 0, synchronised_at_ = 0;
  // What append_bulk has on its way; of the thread that brings the state.
  struct Bulk {
    uint64_t position, bytes;
  };
  std::deque<Bulk> bulk_;
  uint64_t bulk_bytes_ = 0;
  uint64_t applied_end_ = 0;  // under sent_mutex_: the ring offset up to which the backup has executed
  // Under fence_mutex_. Since when the backup has its state; how far behind it was when the pace began, and what may go at the latest then.
  struct Pace {
    uint64_t restored_ns = 0, lag = 0, floor = 0, floor_ns = 0;
    bool on = false;
  } pace_;
  // Under sent_mutex_: the ring offset that the backup has to hold to be called one. None will do before protect() has said which.
  uint64_t protected_at_;
  bool said_synchronised_ = false;
  bool adopted_ = false;  // connections that there were before the gate
  std::mutex fence_mutex_;
  std::atomic<bool> waits_, opened_{false}, fenced_{false}, released_{false}, said_protected_{false};
  std::atomic<uint64_t> held_{0};
  std::mutex lost_mutex_;
  std::condition_variable lost_changed_;
  std::string lost_by_;
  bool gate_begun_ = false;  // begin_gate() is over; under lost_mutex_, too
};

// Also where there is none.
void add_protection_stats(Plain::Object& out, Protection* protection, abi::Control& control);

}  // namespace understudy::host
