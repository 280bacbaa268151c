// The part of the connection table (connection_table.h) that takes over a snapshot (connection_snapshot.h).
//
// Until then the table has seen packets alone, from the moment on when the primary's gate was installed. Of a connection that began before
// it knows nothing; of one that began after it knows the handshake and all input, and not what the guest has read and written of it.
#include <unordered_set>

#include "common.h"
#include "net/connection_table.h"

namespace understudy::host {
namespace {

constexpr const char* kNotSeen = "its packets do not pass the gate";
constexpr const char* kTooEarly = "it was not accepted yet when this backup was added";
constexpr const char* kOpening = "it was being opened when this backup was added";

bool known(const Connection& c) { return c.remote_isn && c.local_isn; }

// Ports are used again: whether these numbers are those of that connection. What packets have told is not before what is in the socket.
bool same_numbers(const Connection& c, const SocketState& s) {
  const int64_t begin = c.remote_offset(s.receive_seq);
  return begin >= 0 && begin + int64_t(s.unread.size()) <= int64_t(c.received) + int64_t(c.limits.ahead_bytes);
}

}  // namespace

void ConnectionTable::import_connection(const SocketState& s) {
  const FlowKey key{s.remote, s.local};
  Connection* connection = nullptr;
  if (const auto it = flows_.find(key); it != flows_.end()) {
    for (const auto& c : it->second)
      if (s.gated && s.kind == SocketState::kStream && known(*c) && c->cookie == 0 && same_numbers(*c, s))
        connection = c.get();
  }
  if (connection == nullptr) {
    // The oldest: a handshake that is here already is of one that came after it.
    Flow& flow = flows_[key];
    connection = flow.insert(flow.begin(), std::make_unique<Connection>(next_id_++, key, limits_))->get();
  }
  connection->cookie = s.cookie;
  if (s.kind == SocketState::kConnecting) {
    connection->outward = true;
    connection->lost = s.gated ? kOpening : kNotSeen;
  } else if (!s.gated) {
    connection->lost = kNotSeen;
  } else {
    const size_t before = connection->bytes();
    connection->continue_from(s, monotonic_ns());
    account(before, connection->bytes());
  }
  if (s.gated && !connection->lost.empty())
    report_(abi::kWarning, "the connection with " + key.remote.text() + " cannot be taken over: " + connection->lost);
  GuestSocket& socket = sockets_[s.cookie];
  socket.cookie = s.cookie;
  socket.bound = s.local;
  socket.connection = connection;
}

// If its handshake was seen, so was everything else. If not, the guest will accept it, and it must be said what became of it.
void ConnectionTable::import_unaccepted(const SocketState& s) {
  const FlowKey key{s.remote, s.local};
  if (const auto it = flows_.find(key); it != flows_.end()) {
    for (const auto& c : it->second)
      if (c->cookie == 0 && c->remote_isn && c->lost.empty()) return;
  }
  Connection& connection = new_connection(key);
  connection.lost = kTooEarly;
  report_(abi::kWarning, "the connection with " + key.remote.text() + " cannot be taken over: " + connection.lost);
}

// What was established and is neither a socket of the guest nor waiting for it is one that the guest has closed.
void ConnectionTable::forget_before_snapshot(const std::vector<SocketState>& sockets) {
  std::unordered_set<FlowKey, FlowKeyHash> waiting;
  for (const SocketState& s : sockets)
    if (s.kind == SocketState::kWaiting) waiting.insert({s.remote, s.local});
  std::vector<Connection*> over;
  for (const auto& [key, flow] : flows_) {
    for (const auto& c : flow) {
      // One that was refused, or closed and its port used again, has a newer one behind it.
      const bool last = c.get() == flow.back().get();
      if (c->cookie == 0 && c->established && !(last && waiting.contains(key))) over.push_back(c.get());
    }
  }
  for (Connection* c : over) retire(c);
}

void ConnectionTable::import(const std::vector<SocketState>& sockets) {
  const std::lock_guard lock(mutex_);
  if (frozen_) return;
  std::unordered_set<uint16_t> listening;
  for (const SocketState& s : sockets) {
    switch (s.kind) {
      case SocketState::kListener: listening.insert(s.local.port); [[fallthrough]];
      case SocketState::kUnused:
      case SocketState::kDatagram: {
        GuestSocket& socket = sockets_[s.cookie];
        socket.cookie = s.cookie;
        if (s.local.address) socket.bound = s.local;
        socket.datagram = s.kind == SocketState::kDatagram;
        if (socket.datagram && s.remote.address) socket.remote = s.remote;
        socket.listening = s.kind == SocketState::kListener;
        socket.backlog = int(s.backlog);
        break;
      }
      case SocketState::kStream:
      case SocketState::kConnecting: import_connection(s); break;
      case SocketState::kWaiting: import_unaccepted(s); break;
    }
  }
  for (const auto& [cookie, socket] : sockets_)
    if (socket.connection != nullptr)
      socket.connection->outward |= !listening.contains(socket.connection->key.local.port);
  forget_before_snapshot(sockets);
}

void ConnectionTable::map_cookies(const std::function<uint64_t(uint64_t)>& shadow_of) {
  const std::lock_guard lock(mutex_);
  if (frozen_) return;
  std::unordered_map<uint64_t, GuestSocket> mapped;
  for (auto& [cookie, socket] : sockets_) {
    const uint64_t shadow = shadow_of(cookie);
    if (socket.connection != nullptr) socket.connection->cookie = shadow;
    if (shadow == 0) continue;
    socket.cookie = shadow;
    mapped[shadow] = socket;
  }
  sockets_ = std::move(mapped);
}

}  // namespace understudy::host
