// The backup's view of every socket of the service: connections from the packets of the primary's gate, joined with what the replica
// of the guest does with its shadow sockets.
//
// Packets come on the mirror's receiver thread, the guest's messages on the reader of the network ring; each in its own order, the
// two in any order.
//
// Invariants:
//  - A packet belongs to the newest connection of its addresses whose handshake the primary has answered; a SYN alone (a flood, an
//    old duplicate) disturbs no connection.
//  - The guest's accept() of a client address means the oldest connection of these addresses that was established and not accepted.
//  - A connection is forgotten when no packet will change it and the guest has closed its socket.
//
// Must not: be changed while a takeover works with its connections: see freeze().
#pragma once
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "net/connection.h"
#include "net/connection_snapshot.h"
#include "net/net_ring.h"
#include "understudy/abi.h"

namespace understudy::host {

// A shadow socket that is not a TCP connection, or not only: as the guest has set it up.
struct GuestSocket {
  uint64_t cookie = 0;
  std::optional<Endpoint> bound;
  bool datagram = false;
  bool listening = false;
  int backlog = 0;
  std::optional<Endpoint> remote;  // of a datagram socket's connect()
  Connection* connection = nullptr;
  bool closed_once = false;  // by one process
};

struct TableStats {
  uint64_t connections, half_open, waiting_for_accept, listeners;
  uint64_t buffered_bytes;     // of all connections
  uint64_t packets, messages;  // taken so far
  uint64_t strays;             // packets of no known connection
};

class ConnectionTable {
 public:
  using Report = std::function<void(abi::MessageLevel, const std::string&)>;
  ConnectionTable(const Address& vip, Report report, ConnectionLimits limits = {});

  void packet(Direction direction, std::span<const uint8_t> ip_packet);
  // payload_bytes of the message lie behind it.
  void guest(const abi::NetMessage& message, const uint8_t* payload);

  // The sockets of a service that ran before this backup was there, all of them, in the order of the mirror: packets before belong to
  // the time before the snapshot. No guest() before it.
  void import(const std::vector<SocketState>& sockets);
  // Cookies in the snapshot are those of the primary's sockets; the replica's shadows have others. After import(), and before guest().
  // 0: the replica has no such socket. Its guest has been given it by a call that the journal tells of after the snapshot (accept).
  void map_cookies(const std::function<uint64_t(uint64_t)>& shadow_of);

  TableStats stats() const;
  // Of the whole table; the mirror's receiver stops taking records while it is too large.
  uint64_t buffered_bytes() const { return buffered_bytes_.load(std::memory_order_relaxed); }

  // From here on packets and messages have no effect, and the following may be used without a lock.
  void freeze();
  std::vector<Connection*> connections();
  const std::unordered_map<uint64_t, GuestSocket>& sockets() const { return sockets_; }
  const Address& vip() const { return vip_; }
  // A consistent look at the newest connection of these addresses while the table is in use. False: there is none.
  bool inspect(const FlowKey& key, const std::function<void(const Connection&)>& look) const;

 private:
  using Flow = std::vector<std::unique_ptr<Connection>>;  // in order of creation
  Connection& new_connection(const FlowKey& key);
  Connection* find_for(Flow& flow, Direction direction, const TcpPacket& packet);
  Connection* on_syn(const FlowKey& key, Direction direction, const TcpPacket& packet);
  void on_accept(const abi::NetMessage& message, const uint8_t* payload, bool outward);
  void name_outward(const FlowKey& key);
  void forget_later(GuestSocket& socket);
  void retire(Connection* connection);
  void import_connection(const SocketState& state);
  void import_unaccepted(const SocketState& state);
  void forget_before_snapshot(const std::vector<SocketState>& sockets);
  void limit_half_open();
  void account(size_t before, size_t after);

  Address vip_;
  Report report_;
  ConnectionLimits limits_;
  mutable std::mutex mutex_;
  bool frozen_ = false;
  uint64_t next_id_ = 1;
  std::unordered_map<FlowKey, Flow, FlowKeyHash> flows_;
  std::unordered_map<uint64_t, GuestSocket> sockets_;
  std::deque<uint64_t> closed_;  // cookies of sockets without a connection that some process has closed
  std::deque<std::pair<uint64_t, FlowKey>> half_open_;  // ids, oldest first; some are established or gone by now
  std::atomic<uint64_t> buffered_bytes_{0};
  uint64_t packets_ = 0, messages_ = 0, strays_ = 0;
};

}  // namespace understudy::host
