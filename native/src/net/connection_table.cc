// See connection_table.h.
#include "net/connection_table.h"

#include "common.h"

namespace understudy::host {
namespace {

// Handshakes that have not come to their end. A client that gives up leaves one; beyond this the oldest are forgotten.
constexpr size_t kHalfOpenMax = 16384;
constexpr size_t kClosedMax = 1024;

bool answered(const Connection& c) { return c.remote_isn && c.local_isn; }

}  // namespace

ConnectionTable::ConnectionTable(const Address& vip, Report report, ConnectionLimits limits)
    : vip_(vip), report_(std::move(report)), limits_(limits) {}

Connection& ConnectionTable::new_connection(const FlowKey& key) {
  Flow& flow = flows_[key];
  flow.push_back(std::make_unique<Connection>(next_id_++, key, limits_));
  return *flow.back();
}

void ConnectionTable::account(size_t before, size_t after) {
  buffered_bytes_.fetch_add(uint64_t(after) - uint64_t(before), std::memory_order_relaxed);
}

// The guest said that it connects, before the kernel's choice of a port was known.
void ConnectionTable::name_outward(const FlowKey& key) {
  const auto it = flows_.find({key.remote, {key.local.address, 0}});
  if (it == flows_.end()) return;
  std::unique_ptr<Connection> connection = std::move(it->second.front());
  it->second.erase(it->second.begin());
  if (it->second.empty()) flows_.erase(it);
  connection->key = key;
  flows_[key].push_back(std::move(connection));
}

// A SYN begins a connection; the same SYN again does not.
Connection* ConnectionTable::on_syn(const FlowKey& key, Direction direction, const TcpPacket& packet) {
  if (direction == Direction::kOut && !flows_.contains(key)) name_outward(key);
  Connection* half_open = nullptr;
  if (const auto it = flows_.find(key); it != flows_.end()) {
    for (const auto& c : it->second) {
      const std::optional<uint32_t>& isn = direction == Direction::kIn ? c->remote_isn : c->local_isn;
      if (isn == packet.seq) return c.get();
      // The guest's accept() or connect() was here first; or a client that has given up and begun anew.
      if (!answered(*c) && !c->established) half_open = c.get();
    }
  }
  if (half_open == nullptr) half_open = &new_connection(key);
  if (!half_open->remote_isn && !half_open->local_isn && half_open->cookie == 0) {
    half_open_.emplace_back(half_open->id, key);
    limit_half_open();
  }
  return half_open;
}

void ConnectionTable::limit_half_open() {
  if (half_open_.size() <= kHalfOpenMax) return;
  const auto [id, key] = half_open_.front();
  half_open_.pop_front();
  const auto it = flows_.find(key);
  if (it == flows_.end()) return;
  for (const auto& c : it->second) {
    if (c->id != id || c->established || c->cookie != 0) continue;
    retire(c.get());
    return;
  }
}

Connection* ConnectionTable::find_for(Flow& flow, Direction direction, const TcpPacket& packet) {
  // Answer to a SYN: whose number it acknowledges.
  if (packet.has(kSyn)) {
    for (auto it = flow.rbegin(); it != flow.rend(); ++it) {
      const std::optional<uint32_t>& isn = direction == Direction::kIn ? (*it)->local_isn : (*it)->remote_isn;
      if (isn && packet.ack == *isn + 1) return it->get();
    }
    return nullptr;
  }
  for (auto it = flow.rbegin(); it != flow.rend(); ++it) {
    if (answered(**it)) return it->get();
  }
  // A refusal of a handshake: RST before any answer.
  if (packet.has(kRst) && !flow.empty()) return flow.back().get();
  return nullptr;
}

void ConnectionTable::packet(Direction direction, std::span<const uint8_t> ip_packet) {
  const std::optional<TcpPacket> packet = parse_tcp(ip_packet);
  std::lock_guard lock(mutex_);
  if (frozen_) return;
  packets_++;
  if (!packet) {
    strays_++;
    return;
  }
  const FlowKey key = direction == Direction::kIn ? FlowKey{packet->source, packet->destination}
                                                  : FlowKey{packet->destination, packet->source};
  Connection* connection = nullptr;
  if (packet->has(kSyn) && !packet->has(kAck)) {
    connection = on_syn(key, direction, *packet);
  } else if (const auto it = flows_.find(key); it != flows_.end()) {
    connection = find_for(it->second, direction, *packet);
  }
  if (connection == nullptr) {
    strays_++;
    return;
  }
  const size_t before = connection->bytes();
  const bool was_lost = !connection->lost.empty();
  connection->on_packet(direction, *packet, monotonic_ns());
  account(before, connection->bytes());
  if (!was_lost && !connection->lost.empty())
    report_(abi::kWarning, "the connection with " + key.remote.text() + " cannot be taken over: " + connection->lost);
  // Refused before the guest could see it.
  const bool never_was = connection->is_over() && !connection->established && connection->cookie == 0;
  if (never_was || (connection->is_over() && connection->guest_closed)) retire(connection);
}

void ConnectionTable::on_accept(const abi::NetMessage& message, const uint8_t* payload, bool outward) {
  const std::optional<Endpoint> remote = address_in(message, payload, 0);
  std::optional<Endpoint> local = address_in(message, payload, 1);
  if (!remote) return;
  GuestSocket& socket = sockets_[message.cookie];
  socket.cookie = message.cookie;
  if (outward && socket.datagram) {
    socket.remote = remote;
    return;
  }
  if (!local && outward) local = socket.bound;
  if (!local) {
    if (const auto it = sockets_.find(message.a); !outward && it != sockets_.end()) local = it->second.bound;
  }
  if (!local) local = Endpoint{vip_, 0};
  // A listener on all addresses: the connection came to the VIP.
  if (local->address.is_any()) local->address = vip_;
  const FlowKey key{*remote, *local};
  Connection* connection = nullptr;
  if (const auto it = flows_.find(key); it != flows_.end()) {
    for (const auto& c : it->second) {
      const bool candidate = outward ? c->outward : c->established && !c->outward;
      if (candidate && c->cookie == 0) {
        connection = c.get();
        break;
      }
    }
    // Its last packet of the handshake may be on the way from the other thread.
    if (connection == nullptr && !it->second.empty() && it->second.back()->cookie == 0)
      connection = it->second.back().get();
  }
  if (connection == nullptr && outward && local->port == 0) {
    for (const auto& [other, flow] : flows_) {
      if (other.remote != *remote) continue;
      for (const auto& c : flow) {
        if (c->outward && c->cookie == 0 && (connection == nullptr || c->id < connection->id)) connection = c.get();
      }
    }
  }
  if (connection == nullptr) connection = &new_connection(key);
  connection->cookie = message.cookie;
  connection->outward = outward;
  sockets_[message.cookie].connection = connection;
}

void ConnectionTable::guest(const abi::NetMessage& message, const uint8_t* payload) {
  std::lock_guard lock(mutex_);
  if (frozen_) return;
  messages_++;
  switch (message.kind) {
    case abi::kNetBind: {
      GuestSocket& socket = sockets_[message.cookie];
      socket.cookie = message.cookie;
      socket.bound = Endpoint::from(payload, message.payload_bytes);
      socket.datagram = (message.a & 0xf) == SOCK_DGRAM;
      return;
    }
    case abi::kNetListen: {
      GuestSocket& socket = sockets_[message.cookie];
      socket.cookie = message.cookie;
      if (const auto bound = Endpoint::from(payload, message.payload_bytes)) socket.bound = bound;
      socket.listening = true;
      socket.backlog = int(message.a);
      return;
    }
    case abi::kNetAccept: return on_accept(message, payload, false);
    case abi::kNetConnect: return on_accept(message, payload, true);
    default: break;
  }
  const auto it = sockets_.find(message.cookie);
  if (it == sockets_.end()) return;
  Connection* connection = it->second.connection;
  if (connection == nullptr) {
    if (message.kind == abi::kNetClose) forget_later(it->second);
    return;
  }
  const size_t before = connection->bytes();
  const bool was_lost = !connection->lost.empty();
  bool superseded = false;
  switch (message.kind) {
    case abi::kNetConsumed: connection->on_consumed(message.a); break;
    case abi::kNetSent: connection->on_sent({payload, message.payload_bytes}); break;
    case abi::kNetShutdown:
      if (message.a != SHUT_WR) connection->shut_read = true;
      if (message.a != SHUT_RD) connection->shut_write = true;
      break;
    case abi::kNetClose:
      connection->guest_closed = true;
      // The client has begun another connection from the same port: this one's packets will not come any more.
      superseded = flows_[connection->key].back().get() != connection && answered(*flows_[connection->key].back());
      connection->closed_with_reset = message.a != 0;
      break;
    default: break;
  }
  account(before, connection->bytes());
  if (!was_lost && !connection->lost.empty())
    report_(abi::kWarning,
            "the connection with " + connection->key.remote.text() + " cannot be taken over: " + connection->lost);
  // One whose packets do not pass the gate has none: a client on the same host, say.
  const bool unseen = !connection->remote_isn && !connection->local_isn;
  if (connection->guest_closed && (connection->is_over() || superseded || unseen)) retire(connection);
}

// One process of the guest has closed it; another may have it still, as the parent of a child that has closed what it does not need. A
// takeover looks at what is there. Until then listeners, which are few, are kept, and of the others the latest.
void ConnectionTable::forget_later(GuestSocket& socket) {
  if (socket.listening || socket.closed_once) return;
  socket.closed_once = true;
  closed_.push_back(socket.cookie);
  if (closed_.size() <= kClosedMax) return;
  if (const auto it = sockets_.find(closed_.front()); it != sockets_.end() && it->second.connection == nullptr)
    sockets_.erase(it);
  closed_.pop_front();
}

void ConnectionTable::retire(Connection* connection) {
  account(connection->bytes(), 0);
  if (connection->cookie != 0) sockets_.erase(connection->cookie);
  const auto it = flows_.find(connection->key);
  std::erase_if(it->second, [connection](const auto& c) { return c.get() == connection; });
  if (it->second.empty()) flows_.erase(it);
}

void ConnectionTable::freeze() {
  std::lock_guard lock(mutex_);
  frozen_ = true;
}

std::vector<Connection*> ConnectionTable::connections() {
  std::lock_guard lock(mutex_);
  std::vector<Connection*> all;
  for (const auto& [key, flow] : flows_) {
    for (const auto& c : flow) all.push_back(c.get());
  }
  std::sort(all.begin(), all.end(), [](const Connection* a, const Connection* b) { return a->id < b->id; });
  return all;
}

bool ConnectionTable::inspect(const FlowKey& key, const std::function<void(const Connection&)>& look) const {
  std::lock_guard lock(mutex_);
  const auto it = flows_.find(key);
  if (it == flows_.end()) return false;
  look(*it->second.back());
  return true;
}

TableStats ConnectionTable::stats() const {
  std::lock_guard lock(mutex_);
  TableStats stats{};
  for (const auto& [key, flow] : flows_) {
    for (const auto& c : flow) {
      if (!c->established) {
        stats.half_open++;
        continue;
      }
      stats.connections++;
      if (c->cookie == 0) stats.waiting_for_accept++;
    }
  }
  for (const auto& [cookie, socket] : sockets_) stats.listeners += socket.listening;
  stats.buffered_bytes = buffered_bytes();
  stats.packets = packets_;
  stats.messages = messages_;
  stats.strays = strays_;
  return stats;
}

}  // namespace understudy::host
