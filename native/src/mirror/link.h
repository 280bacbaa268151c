// What both ends of a connected mirror do alike: progress, marks, heartbeats, the judgement of the peer, sleeping, clocks.
//
// Invariants:
//  - `mutex` is held around every use of fabric() and every message on the control connection. It inherits priority: the
//    progress thread may be a real-time thread, and whoever appends is not.
//  - turn(), sleep() and judge() are called by one thread, the progress thread.
//  - Every loss leaves as LinkLost, once.
//
// Must not: know whether it is the primary's or the backup's, except for which keys it uses.
#pragma once
#include <pthread.h>

#include <atomic>
#include <memory>
#include <optional>

#include "../common.h"
#include "../pi_mutex.h"
#include "fabric.h"
#include "handshake.h"
#include "liveness.h"
#include "mirror.h"

namespace understudy::host {

struct LinkLost {
  MirrorLoss loss;
};

// What a mark says besides clocks.
struct MarkValues {
  uint64_t received = 0, consumed = 0, durable = 0, applied = 0, wire = 0;
};

// Wakes a thread that sleeps in Link::sleep.
class Kick {
 public:
  Kick();
  int fd() const { return fd_.get(); }
  void kick() const;
  void clear() const;

 private:
  UniqueFd fd_;
};

class Link {
 public:
  enum class Side { Primary, Backup };
  Link(Side side, const MirrorConfig& config, const Greeting& greeting, std::unique_ptr<Control> control,
       std::unique_ptr<Fabric> fabric, const Kick& kick);
  ~Link();

  PiMutex mutex;
  Fabric& fabric() { return *fabric_; }
  Control& control() { return *control_; }
  wire::Memory marks_memory() const;         // to tell the peer
  void set_peer_marks(wire::Memory memory);  // what the peer told
  // The connection stands: judgement begins.
  void start();

  // The caller holds `mutex`. False: no room now.
  bool send_mark(const MarkValues& values);

  struct Turn {
    bool any = false;
    int count = 0;  // writes that came into the ring
    uint64_t bytes[32];
  };
  // One look at the network. Throws LinkLost.
  Turn turn();
  // Throws LinkLost when the peer is gone. Only right after a turn that found nothing.
  void judge();
  // Until something happens, or the time comes.
  void sleep(uint64_t until_ns);
  // When a heartbeat is due, or the peer would be judged.
  uint64_t next_duty_ns() const;
  bool beat_due(uint64_t now) const { return now >= next_beat_; }

  const MarkValues& peer() const { return peer_values_; }  // of the progress thread
  // When the latest mark of this end that the peer has answered was sent.
  uint64_t answered_ns() const { return answered_ns_; }
  PeerClock peer_clock() const;
  void fill(MirrorStats& stats) const;
  static bool make_realtime();

 private:
  void take_mark(uint32_t slot);
  void note_clock(const wire::Mark& mark, uint64_t now);
  void look_at_control();
  [[noreturn]] void lost(MirrorLossKind kind, const std::string& text);
  [[noreturn]] void lost_transport(const std::string& text);

  const Side side_;
  const uint64_t heartbeat_ns_, peer_heartbeat_ns_, deadline_ns_;
  const Kick& kick_;
  std::unique_ptr<Control> control_;
  std::unique_ptr<Fabric> fabric_;
  uint8_t* marks_ = nullptr;  // kMarkSlots to send from, then as many to receive in
  int out_id_ = 0, in_id_ = 0;
  RemoteMemory peer_marks_;
  std::unique_ptr<Sealer> seal_, open_;
  uint64_t marks_sent_ = 0;
  uint64_t slot_posted_[wire::kMarkSlots] = {};  // number of the write that used a slot, plus 1
  uint64_t next_beat_ = 0;

  std::optional<Liveness> live_;
  uint64_t planned_ns_ = 0, looked_at_ = 0;
  uint32_t turns_ = 0;
  std::string ended_;  // seen, but there was still something to take
  bool check_ = true;  // the connection itself, not only what came over it
  MarkValues peer_values_;
  uint64_t peer_counter_ = 0;
  uint64_t answered_ns_ = 0, peer_sent_ns_ = 0, peer_came_ns_ = 0;

  // Read by other threads, for statistics.
  std::atomic<uint64_t> stat_marks_sent_{0}, stat_marks_received_{0}, stat_sleeps_{0}, stat_worst_gap_{0},
      stat_allowed_{0}, stat_absence_{0}, best_trip_ns_{~0ull}, best_trip_at_{0};
  std::atomic<int64_t> monotonic_offset_{0}, realtime_offset_{0};
};

}  // namespace understudy::host
