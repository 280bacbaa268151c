// The primary's end of a mirror: takes records, writes them into the backup's ring, and tells how far the backup has them.
//
// Threads: append() and flush() from any (the journal's pump and the network gate both do); they write to the network
// themselves where they can, so that a committed record does not wait for another thread to wake. The progress thread hears the
// backup's marks, sends heartbeats, judges, and writes what an appender had to leave.
//
// Invariants:
//  - Records have one order, that of append()'s return values, and arrive in it.
//  - After a loss no watermark ever rises: what waits for one waits for ever, which is the fence of an unprotected primary.
//  - Nothing that is on its way changes in the ring that it is sent from.
//
// Must not: reconnect. Whoever owns it decides what a loss means, and makes a new one.
#pragma once
#include <sys/uio.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

#include "link.h"
#include "twin_ring.h"

namespace understudy::host {

class MirrorSender {
 public:
  // All on the progress thread, which must not be kept waiting, and must not destroy the sender. on_lost is the last one.
  struct Hooks {
    std::function<void(const MirrorPeer&)> on_connected;
    // With each of the backup's marks, so at least every heartbeat, whether or not something changed: who notes the position of a
    // record after append() returned may have missed the answer to it, and hears it again.
    std::function<void(const Watermarks&)> on_watermarks;
    // The backup was alive after this moment (CLOCK_MONOTONIC), when what it has just answered was sent: what a lease counts from.
    std::function<void(uint64_t sent_ns)> on_answered;
    std::function<void(const MirrorLoss&)> on_lost;
  };
  // Connects in the background. Records may be appended at once; they are sent when the connection stands.
  // Throws HostError for a configuration that cannot work.
  MirrorSender(MirrorConfig config, Hooks hooks);
  // Nobody may be in append() any more; close() makes those that wait there return.
  ~MirrorSender();

  // Returns the position after the record, which is committed when `received` reaches it; 0 when the mirror is lost. Blocks while
  // the backup has no room. `flush`: send now; otherwise with the next flush, when enough came together, or within a heartbeat.
  // A record may take up to half of the ring.
  uint64_t append(uint32_t type, uint64_t seq, const iovec* parts, int count, bool flush);
  void flush();

  uint64_t appended() const { return appended_.load(std::memory_order_acquire); }
  // Position up to which the backup has handed the records on.
  uint64_t consumed() const { return free_to_.load(std::memory_order_acquire); }
  Watermarks watermarks() const;
  bool lost() const { return lost_.load(std::memory_order_acquire); }
  bool wait_connected(uint32_t timeout_ms);
  PeerClock peer_clock() const;
  MirrorStats stats() const;
  // Sends what is left, waits up to drain_ms for the backup to have it, says farewell. No hook is called from then on.
  void close(const std::string& reason, uint32_t drain_ms = 500);
  // Ends the progress thread: when it returns no hook runs, and none will. append() and flush() do nothing from then on.
  void halt();

 private:
  void run();
  void establish();
  void serve();
  void take_marks();
  void post();         // sends what is wanted, unless another thread does so
  void post_locked();  // the caller holds the link's mutex
  void retire();       // likewise: forgets writes that are complete
  void want(uint64_t position);
  void lose(const MirrorLoss& how);

  const MirrorConfig config_;
  const Hooks hooks_;
  Kick kick_;
  TwinRing ring_;                     // plain records, by position
  std::unique_ptr<TwinRing> sealed_;  // sealed: what is sent, by wire position
  std::unique_ptr<Sealer> sealer_;
  std::unique_ptr<Link> link_;
  int source_id_ = 0;
  uint64_t answered_ns_ = 0;
  RemoteMemory target_;

  PiMutex append_mutex_;
  std::atomic<uint64_t> appended_{0};
  std::atomic<uint64_t> wanted_{0};  // position up to which somebody wants it sent
  // Under the link's mutex.
  std::atomic<uint64_t> posted_{0};
  uint64_t wire_posted_ = 0, wire_free_ = 0;
  struct Posted {
    uint64_t write, position, wire;  // after it
  };
  std::vector<Posted> in_flight_;  // a queue, by index
  size_t in_flight_head_ = 0, in_flight_tail_ = 0;
  uint64_t source_done_ = 0, source_done_wire_ = 0;  // what may be overwritten at this end

  std::atomic<uint64_t> free_to_{0};  // position up to which both ends are done with it
  uint32_t room_word_ = 0;            // futex: free_to_ moved
  std::atomic<uint32_t> room_sleepers_{0};
  std::atomic<uint64_t> received_{0}, durable_{0}, applied_{0};
  std::atomic<bool> connected_{false}, lost_{false}, stop_{false}, realtime_{false};
  std::atomic<bool> quiet_{false};  // close(): no hooks
  mutable std::mutex state_mutex_;
  std::condition_variable state_changed_;
  std::atomic<uint64_t> stat_records_{0}, stat_writes_{0}, stat_wire_bytes_{0}, stat_blocks_{0}, stat_blocked_ns_{0};
  std::thread thread_;
};

}  // namespace understudy::host
