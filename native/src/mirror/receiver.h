// The backup's end of a mirror: verifies what arrives in its ring, acknowledges it, and hands it on in order.
//
// Threads: the progress thread verifies and acknowledges at once, and never waits for anybody; the consumer thread calls
// on_record, which may block, and so fills the ring and slows the primary down. Handshakes have threads of their own (door.h).
//
// Invariants:
//  - A record is acknowledged only after it was verified, and every record that was acknowledged is handed on.
//  - stop_acknowledging() is the fence: after it returned, received() is final and no watermark leaves any more. A loss fences
//    too, before on_lost is called.
//  - One connection in an object's life; a connection that fails before it stands does not count.
//
// Must not: decide about takeovers.
#pragma once
#include <functional>
#include <mutex>
#include <thread>

#include "door.h"
#include "link.h"
#include "twin_ring.h"

namespace understudy::host {

class MirrorReceiver {
 public:
  struct Hooks {
    std::function<void(const MirrorPeer&)> on_connected;  // before the first record
    std::function<void(const MirrorRecord&)> on_record;   // consumer thread, in order
    // Progress thread, once, at once; records that are held already may still be handed on after it. Not after stop_acknowledging.
    std::function<void(const MirrorLoss&)> on_lost;
    // Consumer thread, once, after the last record of a connection that ended, for whatever reason. `received` is final.
    std::function<void(uint64_t received)> on_end;
    std::function<void(const std::string&)> on_incident;  // a handshake that failed; any thread
  };
  // Throws HostError for a configuration that cannot work.
  MirrorReceiver(MirrorConfig config, Hooks hooks);
  // on_record must return for this to return.
  ~MirrorReceiver();

  uint16_t port() const { return door_->port(); }
  uint64_t received() const { return received_.load(std::memory_order_acquire); }
  uint64_t consumed() const { return consumed_.load(std::memory_order_acquire); }  // handed on
  // Positions as in MirrorRecord. Durable is told to the primary at once, applied with the next mark (a heartbeat at most).
  void set_durable(uint64_t position);
  void set_applied(uint64_t position);
  // The fence; see above. The primary is told `why`.
  void stop_acknowledging(const std::string& why);
  bool connected() const;
  PeerClock peer_clock() const;
  MirrorStats stats() const;

 private:
  enum class State { Waiting, Connecting, Connected, Over };
  void visit(Door::Visitor& visitor);
  void run();
  void serve();
  void take(const Link::Turn& turn);
  void open_sealed(uint64_t bytes);
  void verify();
  void publish();
  bool tell();
  void drain();
  void consume();
  void wake_consumer();
  void lose(const MirrorLoss& loss);
  void finish();
  [[noreturn]] static void corrupt(const std::string& text);

  const MirrorConfig config_;
  const Hooks hooks_;
  Kick kick_;
  std::unique_ptr<TwinRing> ring_;    // what the primary writes
  std::unique_ptr<TwinRing> opened_;  // sealed: what it means. Out of reach of the network
  std::unique_ptr<Sealer> opener_;
  std::unique_ptr<Link> link_;
  int ring_id_ = 0;
  uint64_t peer_epoch_ = 0, ring_bytes_ = 0;

  mutable std::mutex state_mutex_;
  State state_ = State::Waiting;
  std::string fence_text_;

  // Progress thread.
  uint64_t wire_ = 0;      // taken from the ring
  uint64_t arrived_ = 0;   // plain bytes
  uint64_t verified_ = 0;  // whole records
  bool mark_due_ = false;
  uint64_t verified_records_ = 0;

  bool fenced_ = false;  // under the link's mutex
  std::atomic<bool> over_{false}, stop_{false}, quiet_{false}, realtime_{false}, connected_{false};
  std::atomic<uint64_t> received_{0}, consumed_{0}, told_consumed_{0}, durable_{0}, applied_{0};
  uint32_t consumer_word_ = 0;  // futex
  std::atomic<bool> consumer_sleeps_{false};
  std::atomic<bool> tell_now_{false};
  std::atomic<uint64_t> stat_records_{0}, stat_writes_{0}, stat_wire_bytes_{0};
  std::thread progress_, consumer_;
  std::unique_ptr<Door> door_;
};

}  // namespace understudy::host
