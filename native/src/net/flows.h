// Flows (primary): connections whose packets need not wait at the gate, because the kernel acknowledges only what the backup holds.
//
// The gate's queue costs two changes of threads, and a journey to the backup, before the guest sees a byte. But the bytes go to the backup
// anyway, in the journal, when the guest has read them. So the packets of a connection that the guest has accepted go straight in, and
// what is held back is the acknowledgement (flow_filter.h): up to what the guest has read in events that the backup holds.
//
// A guest that reads late would leave its clients without acknowledgement. After kLateNs such a connection goes through the queue again,
// whose packets the backup gets as they are, until the guest has caught up; what was in the kernel by then is sent once more by its
// client, which still has it.
//
// The backup knows a connection from its packets (connection.h). Of those that it does not see it needs what the client acknowledges, the
// window and the timestamps: an acknowledgement that says so is mirrored from time to time.
//
// Invariants:
//  - An entry's `held` never passes what the backup has: bytes in packets that it has received, or in events that it has received.
//  - It never falls behind what was acknowledged while the connection went through the queue only.
//
// Threads: packet() and tick() on the gate's, sent() on the pump's, advance() on the mirror's, the others on any.
// Must not: append to the mirror in advance(); the mirror's own thread would wait for itself.
#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "pi_mutex.h"
#include "net/connection_snapshot.h"
#include "net/flow_filter.h"
#include "net/net_ring.h"
#include "net/raw_ip.h"

namespace understudy::host {

class Flows {
 public:
  struct Hooks {
    // As GateHooks::mirror_packet.
    std::function<uint64_t(std::span<const uint8_t> ip_packet)> mirror_packet;
    // The gate's thread shall call tick().
    std::function<void()> want_tick;
    std::function<void(abi::MessageLevel, const std::string&)> report;
  };
  // net_area: as NetRingReader. queue_only: no packet goes past the queue. A backup that does not execute the journal as it comes does not
  // learn from it what the guest has read: what it saw of the packets would lie behind gaps. Throws HostError NET where it cannot be done;
  // the gate does without.
  Flows(const GateConfig& config, uint8_t* net_area, Hooks hooks, bool queue_only = false);

  // A packet that has come through the queue, and the mirror's position behind it.
  void packet(Direction direction, const TcpPacket& packet, uint64_t position);
  // Connections that exist already when a backup is added, of a guest that is paused. Their sockets are in the mirror up to `position`;
  // what the guest has told up to `ring_offset` happened before. Nothing is acknowledged from here on that the backup has not.
  void adopt(const std::vector<SocketState>& sockets, uint64_t position, uint64_t ring_offset);
  void tick();
  // Events up to this offset of the ring are in the mirror up to this position.
  void sent(uint64_t position, uint64_t ring_end);
  // The backup has received this much.
  void advance(uint64_t received);
  // This host goes on alone: nothing is withheld, and nothing waits, any more.
  void open();
  // This host is the primary no more: nothing comes in by itself, nothing more is acknowledged.
  void close();
  // It is, after all. open() follows.
  void reopen();

  struct Stats {
    uint64_t flows, acknowledgements, late, notes;
  };
  Stats stats() const;

 private:
  struct Flow {
    FlowKey key;
    std::optional<uint32_t> base;              // sequence number of the stream's first byte
    uint64_t read = 0;                         // by the guest, in events that the backup holds
    uint64_t mirrored = 0, mirrored_held = 0;  // in packets, without a gap
    std::optional<uint64_t> remote_fin;        // its offset, once the packet is mirrored
    uint64_t remote_fin_position = 0;
    bool local_fin = false;
    uint64_t cookie = 0;
    FlowEntry* entry = nullptr;
    uint64_t owed_since_ns = 0, queued_since_ns = 0, noted_ns = 0, local_fin_ns = 0;
    uint32_t noted_ack = 0, told_ack = 0;
  };
  struct Mark {
    uint64_t position, value;
  };
  struct Pending {
    uint64_t position;
    std::weak_ptr<Flow> flow;
    uint64_t mirrored;
  };
  using Shared = std::shared_ptr<Flow>;

  void begin(const FlowKey& key, uint32_t base);
  void end(const Shared& flow);
  void adopt(const SocketState& socket, uint64_t position);
  void guest(const abi::NetMessage& message, const uint8_t* payload);
  void enter(const Shared& flow);
  void raise(Flow& flow);
  void acknowledge(Flow& flow);
  void look(std::vector<std::vector<uint8_t>>* notes);
  std::optional<std::vector<uint8_t>> note_to_backup(Flow& flow, uint64_t now_ns);

  const Address vip_;
  const bool queue_only_;
  Hooks hooks_;
  FlowFilter filter_;
  RawSender sender_;
  mutable PiMutex mutex_;
  NetRingCursor messages_;
  std::unordered_map<FlowKey, Shared, FlowKeyHash> flows_;
  std::unordered_map<uint64_t, Shared> by_cookie_;
  std::deque<Mark> sent_;  // not received yet: value = ring offset
  std::deque<Pending> pending_;
  uint64_t received_ = 0, ring_held_ = 0;
  uint64_t next_tick_ns_ = 0;
  bool opened_ = false, closed_ = false;
  Stats stats_{};
};

}  // namespace understudy::host
