// The gate (primary): a packet reaches the guest, and its sender an acknowledgement, only after the backup holds the packet.
//
// What passes it: everything TCP from clients to the VIP's ports; of the other direction only what changes a connection's state
// (SYN, FIN, RST), since the bytes of a stream follow from the journal.
//
// Invariants:
//  - Fail closed. A packet is accepted after release() of its position and for no other reason; when the gate or its process is
//    gone, the kernel drops what waits and what comes.
//  - Each direction's packets are accepted in the order in which they came.
//  - A FIN or RST that the guest did not cause by its own doing (its process was killed) is dropped: the connection goes on elsewhere.
//
// Must not: block in release(); it is called by the thread that reads the mirror's progress.
#pragma once
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>

#include "pi_mutex.h"
#include "net/lease.h"
#include "net/lifeline.h"
#include "net/queue_keeper.h"
#include "net/rules.h"

namespace understudy::host {

struct GateHooks {
  // Appends a packet to the mirror and returns the position that the backup must have reached for it; 0: the mirror is lost, the
  // packet waits for release(~0). Called by the gate's thread only. Positions never decrease.
  std::function<uint64_t(Direction, std::span<const uint8_t> ip_packet)> mirror_packet;
  // After the last of some mirror_packet() calls in a row: send now. May be empty.
  std::function<void()> flush;
  // After mirror_packet, for TCP: what flows.h learns from. May be empty.
  std::function<void(Direction, const TcpPacket&, uint64_t position)> passed;
  // On the gate's thread, some time after wake(). May be empty.
  std::function<void()> tick;
  // Whether a connection may be ended towards the client; see GuestWatch. Empty: always.
  std::function<bool(const TcpPacket&)> fin_allowed;
  std::function<void(abi::MessageLevel, const std::string&)> report;
};

struct GateStats {
  uint64_t packets_in, bytes_in, packets_out;
  uint64_t held;              // now
  uint64_t dropped_fins;      // that a dying guest did not mean
  uint64_t dropped_checksum;  // the kernel would have dropped them as well
};

class Gate {
 public:
  // Takes the queues; nothing comes into them yet. Throws HostError NET.
  Gate(GateConfig config, GateHooks hooks);
  // Removes the rules, then drops what still waits (release(~0) first lets it go on instead).
  ~Gate();
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  // Installs the rules, which takes programs and tens of milliseconds: packets come from the first of them on, and whoever calls release()
  // must be able to by then. Throws HostError NET; the destructor removes what there is.
  void install();

  // The backup holds everything up to here. May be called by any thread; an older position than before has no effect.
  void release(uint64_t position);

  // This host goes on without a backup: what waits goes on, and soon no packet comes by here any more. For good.
  void open();

  // This host is not the primary any more: what waits, and what comes, is sent on to the backup (GateConfig::forward_to; without one it
  // is dropped), and nothing is accepted or mirrored from here on.
  void divert();
  // It is, after all: what was sent on is lost, and sent again by its clients. open() follows.
  void take_back();

  // The gate's thread calls GateHooks::tick. Any thread.
  void wake();
  // Whether what leaves, and what passes by the queue, stops the moment this process dies. See Lifeline.
  bool has_lifeline() const { return lifeline_ != nullptr; }

  // As long as it is held, nothing comes in through the gate: what was taken from the queue has been mirrored and, as far as it was
  // released, is in the guest's sockets. The rest waits in the kernel's queue. Hold it for milliseconds only.
  [[nodiscard]] std::unique_lock<PiMutex> hold() { return std::unique_lock(taking_); }

  // See Lease. Without a lease (lease_ms 0) these do nothing.
  void keep_lease(bool keep);
  void extend_lease_until(uint64_t monotonic_ns);
  void drop_lease();

  GateStats stats() const;

  // Removes what a crashed process left of this service. Idempotent.
  static void clean_leftovers(const std::string& service);

 private:
  struct Waiting {
    uint32_t id;
    uint64_t position;
  };
  struct Lane {
    std::unique_ptr<PacketQueue> queue;
    PiMutex mutex;
    std::deque<Waiting> waiting;
  };
  void run();
  void take(Lane& lane, Direction direction);
  void on_packet(Lane& lane, Direction direction, uint32_t id, std::span<const uint8_t> packet, bool unverified);
  void judge(Lane& lane);
  void open_fence();

  GateConfig config_;
  GateHooks hooks_;
  Lane lanes_[2];  // by Direction
  PiMutex taking_;
  std::atomic<uint64_t> released_{0};
  std::atomic<bool> diverted_{false}, tick_wanted_{false};
  std::unique_ptr<Lifeline> lifeline_;
  std::unique_ptr<Lease> lease_;
  std::unique_ptr<QueueKeeper> keeper_;
  UniqueFd stop_, more_;  // eventfds: the thread is to end; it is to go on with verdicts
  std::atomic<uint64_t> packets_in_{0}, bytes_in_{0}, packets_out_{0}, dropped_fins_{0}, dropped_checksum_{0};
  std::thread thread_, opener_;
};

}  // namespace understudy::host
