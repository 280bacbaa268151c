// See takeover.h.
#include "net/socket_diag.h"
#include "net/takeover.h"

#include <fcntl.h>
#include <linux/netfilter.h>
#include <netinet/tcp.h>

#include "net/repair.h"
#include "net/rules.h"
#include "net/urgent.h"

namespace understudy::host {
namespace {

constexpr int kProbeRounds = 2;
constexpr size_t kCapturedMax = 32u << 20;  // bytes; what does not fit is sent again by its sender

int get_int(int fd, int level, int option) {
  int value = 0;
  socklen_t len = sizeof value;
  return getsockopt(fd, level, option, &value, &len) == 0 ? value : 0;
}

std::optional<Endpoint> name_of(int fd) {
  sockaddr_storage address;
  socklen_t len = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &len) != 0) return std::nullopt;
  return Endpoint::from(&address, len);
}

}  // namespace

Takeover::Takeover(TakeoverConfig config, Report report)
    : config_(std::move(config)),
      report_(std::move(report)),
      vip_(config_.vip, config_.prefix, config_.interface),
      sender_(config_.vip.family),
      tap_(Direction::kIn, config_.vip, vip_.interface_index()),
      orphans_(config_.vip.family) {
  raise_descriptor_limit();
  if (!orphans_.available())
    report_(abi::kWarning,
            "connections that the guest has not accepted yet at the moment of a failover will be reset: " +
                orphans_.why_not());
  install_standby_rules(config_.service, config_.vip);
  end_stale_connections(config_.service, config_.vip);
}

Takeover::~Takeover() {
  try {
    remove_standby_rules(config_.service);
  } catch (const HostError& error) { report_(abi::kError, error.what()); }
}

void Takeover::stage(const char* name) { result_.stages.push_back({name, monotonic_ns()}); }

TakeoverResult Takeover::run(ConnectionTable& table, const std::vector<pid_t>& pids) {
  const Urgent urgent;
  result_ = {};
  result_.begin_ns = monotonic_ns();
  table.freeze();
  table_ = &table;
  classify();
  // What the old primary has sent on already (GateConfig::forward_to).
  tap_.read([this](std::span<uint8_t> ip_packet) { on_captured(ip_packet); });
  // The clients' packets turn to this host from here on. The address is not here, so the kernel drops them; were it here, it would
  // answer each with a reset, because the connections are not.
  vip_.announce();
  stage("announce");
  probe(pids);
  stage("probe");
  attach_sockets();
  // Before the address is here: a client's SYN would be refused.
  open_listeners();
  for (Item& item : items_) {
    if (item.fd >= 0) repair(item);
  }
  stage("repair");
  sent_.emplace(Direction::kOut, config_.vip, vip_.interface_index());
  vip_.add();
  stage("vip");
  adopt_orphans();
  stage("orphans");
  for (Item& item : items_) {
    if (item.repaired) resume(item);
  }
  for (Item& item : items_) {
    if (!item.repaired) finish(item);
  }
  stage("resume");
  open_datagrams();
  open_vip();
  ask_again();
  // Once more: the first time may have been lost, and those who asked meanwhile had no answer.
  vip_.announce();
  replay_captured();
  stage("open");
  items_.clear();
  by_key_.clear();
  shadows_.clear();
  captured_.clear();
  return std::move(result_);
}

void Takeover::classify() {
  for (Connection* c : table_->connections()) {
    const bool known = c->remote_isn && c->local_isn;
    // A SYN that was not answered: its client sends it again, to us. An ended connection that the guest never saw.
    if (c->cookie == 0 && (!known || c->is_over())) continue;
    const bool connecting = c->outward && c->local_isn && !c->remote_isn;
    if (!known && !connecting && c->lost.empty()) c->lost = "its packets do not pass the gate";
    if (known) by_key_[c->key] = items_.size();
    items_.push_back({c});
  }
}

TcpPacket Takeover::to_remote(const Connection& c, uint8_t flags, uint32_t seq) const {
  TcpPacket packet;
  packet.source = c.key.local;
  packet.destination = c.key.remote;
  packet.seq = seq;
  packet.ack = c.remote_seq(c.received) + (c.all_received() ? 1 : 0);
  packet.flags = flags;
  packet.window = uint16_t(
      std::min<uint32_t>(65535, 131072u >> (c.has_window_scale() ? c.local_options.window_scale : 0)));
  packet.options.timestamps = c.has_timestamps();
  packet.options.tsval = c.fresh_tsval(monotonic_ns());
  packet.options.tsecr = c.remote_tsval;
  return packet;
}

TcpPacket Takeover::from_remote(const Connection& c, uint8_t flags) const {
  TcpPacket packet;
  packet.source = c.key.remote;
  packet.destination = c.key.local;
  packet.seq = c.remote_seq(c.received);
  packet.ack = c.local_seq(c.acknowledged);
  packet.flags = flags;
  packet.window = uint16_t(
      std::min<uint32_t>(65535, c.window >> (c.has_window_scale() ? c.remote_options.window_scale : 0)));
  packet.options.timestamps = c.has_timestamps();
  packet.options.tsval = c.remote_tsval;
  packet.options.tsecr = c.fresh_tsval(monotonic_ns());
  return packet;
}

uint64_t Takeover::wait_first_byte(uint64_t timeout_ns) {
  uint64_t at_ns = 0;
  if (!sent_) return 0;
  auto look = [&] {
    sent_->read([&](std::span<uint8_t> ip_packet) {
      if (at_ns != 0) return;
      const std::optional<TcpPacket> packet = parse_tcp(ip_packet);
      if (packet && !packet->payload.empty()) at_ns = sent_->passed_ns();
    });
  };
  look();
  if (at_ns == 0) {
    sent_->wait(timeout_ns);
    look();
  }
  if (at_ns != 0) sent_.reset();
  return at_ns;
}

// ---- Asking the clients ---------------------------------------------------------------------------------------------------

// A number just below what it has acknowledged makes a TCP answer at once, with what it has received. The second time with a byte
// that it has already: Linux answers bare ones at most twice a second.
void Takeover::send_probes(bool insist) {
  static constexpr uint8_t any = 0;
  for (Item& item : items_) {
    Connection& c = *item.connection;
    if (!c.remote_isn || !c.local_isn || c.is_over()) continue;
    if (!insist) result_.asked++;
    if (item.answered) continue;  // it has said something of its own accord
    TcpPacket probe = to_remote(c, kAck, c.local_seq(c.acknowledged) - 1);
    if (insist) probe.payload = {&any, 1};
    sender_.send(probe);
  }
}

// Those whose answer was lost, or who come late: the kernel hears it from here on.
void Takeover::ask_again() {
  static constexpr uint8_t any = 0;
  for (const Item& item : items_) {
    if (!item.repaired || item.answered) continue;
    const Connection& c = *item.connection;
    TcpPacket probe = to_remote(c, kAck, c.local_seq(c.acknowledged) - 1);
    probe.payload = {&any, 1};
    // Never older than what the socket itself has said by now.
    probe.options.tsval = uint32_t(get_int(item.fd, SOL_TCP, TCP_TIMESTAMP));
    sender_.send(probe);
  }
}

bool Takeover::note_answer(const TcpPacket& packet) {
  const auto it = by_key_.find({packet.source, packet.destination});
  if (it == by_key_.end()) return false;
  Item& item = items_[it->second];
  Connection& c = *item.connection;
  if (packet.has(kRst)) {
    // It does not know the connection any more.
    if (c.remote_offset(packet.seq) == int64_t(c.received)) c.remote_reset = true;
  } else if (packet.has(kAck) && !packet.has(kSyn)) {
    const int64_t ack = c.local_offset(packet.ack);
    if (ack < int64_t(c.acknowledged)) return false;
    item.expected_seq = packet.ack;
    if (ack > int64_t(c.sent) + (c.local_fin ? 1 : 0) && c.lost.empty())
      c.lost = "the client has received " + std::to_string(ack) + " bytes, the replica has written " +
               std::to_string(c.sent);
    c.acknowledge(uint64_t(ack));
    c.established = true;
    c.window = uint32_t(packet.window) << (c.has_window_scale() ? c.remote_options.window_scale : 0);
    if (c.has_timestamps() && packet.options.timestamps &&
        (!c.remote_tsval_known || seq_before(c.remote_tsval, packet.options.tsval))) {
      c.remote_tsval = packet.options.tsval;
      c.remote_tsval_known = true;
    }
  } else {
    return false;
  }
  if (item.answered) return false;
  item.answered = true;
  result_.answered++;
  return true;
}

// What carries something is kept, and given to the kernel when it can take it. Its sender would repeat it, but only after 200 ms
// and more.
void Takeover::on_captured(std::span<uint8_t> ip_packet) {
  const std::optional<TcpPacket> packet = parse_tcp(ip_packet);
  if (!packet) return;
  note_answer(*packet);
  if (packet->sequence_len() == 0 || packet->has(kRst)) return;
  if (captured_bytes_ + ip_packet.size() > kCapturedMax) return;
  captured_bytes_ += ip_packet.size();
  captured_.emplace_back(ip_packet.begin(), ip_packet.end());
}

void Takeover::probe(const std::vector<pid_t>& pids) {
  for (int round = 0; round < kProbeRounds; round++) {
    send_probes(round > 0);
    const uint64_t sent_ns = monotonic_ns(), wait_ns = uint64_t(config_.probe_ms) * 1000000;
    // The answers need a round trip; the guest's sockets are found meanwhile.
    if (round == 0) {
      uint32_t missed = 0;
      shadows_ = collect_sockets(pids, &missed);
      if (missed != 0)
        report_(abi::kError, std::to_string(missed) +
                                 " descriptors of the guest could not be opened for the takeover: this process may " +
                                 "have too few (ulimit -n)");
    }
    for (;;) {
      tap_.read([this](std::span<uint8_t> ip_packet) { on_captured(ip_packet); });
      if (result_.answered >= result_.asked) return;
      const uint64_t passed_ns = monotonic_ns() - sent_ns;
      if (passed_ns >= wait_ns) break;
      tap_.wait(wait_ns - passed_ns);
    }
  }
}

// ---- Sockets ------------------------------------------------------------------------------------------------------------------

void Takeover::attach_sockets() {
  for (Item& item : items_) {
    Connection& c = *item.connection;
    if (c.cookie != 0) {
      const auto it = shadows_.find(c.cookie);
      if (it != shadows_.end()) {
        item.shadow = &it->second;
        item.fd = it->second.fd.get();
        item.family = it->second.family;
        continue;
      }
      // Closed by the guest. Its last bytes, and the end of the stream, may be still on their way.
      if (c.is_over() || c.closed_with_reset || !c.lost.empty() || !c.remote_isn) continue;
      item.family = c.key.local.address.family;
      item.own = UniqueFd(socket(item.family, SOCK_STREAM | SOCK_CLOEXEC, 0));
      item.fd = item.own.get();
      c.shut_write = true;
      result_.finishing++;
    }
  }
}

void Takeover::open_listeners() {
  for (const auto& [cookie, socket] : table_->sockets()) {
    if (!socket.listening) continue;
    const auto it = shadows_.find(cookie);
    if (it == shadows_.end()) continue;  // closed since
    const GuestDescriptor& shadow = it->second;
    int error = 0;
    const std::optional<Endpoint> name = name_of(shadow.fd.get());
    if (socket.bound && (!name || name->port == 0))
      error = bind_anywhere(shadow.fd.get(), shadow.family, *socket.bound);
    if (error == 0 && listen(shadow.fd.get(), socket.backlog) != 0) error = errno;
    if (error == 0) {
      result_.listeners++;
      continue;
    }
    const Endpoint where = socket.bound.value_or(Endpoint{});
    report_(abi::kError, "cannot listen at " + where.text() + " after the takeover: " + errno_text(error));
    result_.lost.push_back({{{}, where}, "cannot listen: " + errno_text(error)});
  }
}

void Takeover::open_datagrams() {
  for (const auto& [cookie, socket] : table_->sockets()) {
    const auto it = shadows_.find(cookie);
    if (it == shadows_.end() || it->second.type != SOCK_DGRAM) continue;
    const GuestDescriptor& shadow = it->second;
    const std::optional<Endpoint> name = name_of(shadow.fd.get());
    int error = 0;
    sockaddr_storage address;
    if (socket.bound && (!name || name->port == 0)) {
      const socklen_t len = socket.bound->to(&address, shadow.family);
      if (bind(shadow.fd.get(), reinterpret_cast<sockaddr*>(&address), len) != 0) error = errno;
    }
    // A connected one, too, whose connect() the table took for that of a stream where no bind() had told what it is.
    std::optional<Endpoint> remote = socket.remote;
    if (!remote && socket.connection != nullptr) remote = socket.connection->key.remote;
    if (error == 0 && remote) {
      const socklen_t len = remote->to(&address, shadow.family);
      if (connect(shadow.fd.get(), reinterpret_cast<sockaddr*>(&address), len) != 0) error = errno;
    }
    if (error == 0) {
      result_.datagrams++;
      continue;
    }
    const Endpoint where = socket.bound.value_or(Endpoint{});
    report_(abi::kError,
            "cannot bind the datagram socket " + where.text() + " after the takeover: " + errno_text(error));
    result_.lost.push_back({{remote.value_or(Endpoint{}), where}, "cannot bind: " + errno_text(error)});
  }
}

// ---- Connections ----------------------------------------------------------------------------------------------------------------

void Takeover::lose(Item& item, const std::string& reason) {
  const Connection& c = *item.connection;
  report_(abi::kWarning, "the connection with " + c.key.remote.text() + " could not be taken over: " + reason);
  result_.lost.push_back({c.key, reason});
}

void Takeover::repair(Item& item) {
  Connection& c = *item.connection;
  if (item.shadow != nullptr && item.shadow->type != SOCK_STREAM) {
    item.fd = -1;
    return;
  }
  item.reuse_address = get_int(item.fd, SOL_SOCKET, SO_REUSEADDR);
  if (!c.lost.empty() || !c.remote_isn) return;
  RepairSpec spec;
  spec.socket_family = item.family;
  spec.local = c.key.local;
  spec.remote = c.key.remote;
  spec.unread = c.input.view();
  // Up to the client's FIN, not behind it: a restored socket has no way to have received one. It gets it again when it can.
  spec.receive_seq = c.remote_seq(c.received - c.input.size());
  spec.send_seq = c.local_seq(c.acknowledged);
  spec.mss = c.remote_options.mss;
  spec.window_scale = c.has_window_scale();
  spec.sack = c.has_sack();
  spec.timestamps = c.has_timestamps();
  spec.remote_scale = uint8_t(std::max<int>(0, c.remote_options.window_scale));
  spec.local_scale = uint8_t(std::max<int>(0, c.local_options.window_scale));
  spec.tsval = c.fresh_tsval(monotonic_ns());
  spec.window = c.window;
  const std::string error = begin_repair(item.fd, spec);
  if (!error.empty()) {
    c.lost = error;
    return;
  }
  item.repaired = true;
  result_.unread_bytes += spec.unread.size();
}

void Takeover::resume(Item& item) {
  Connection& c = *item.connection;
  std::span<const uint8_t> rest = c.output.view();
  // Where the client has not told how far it is, it may have more than is known here.
  const bool uncertain = !item.answered && !rest.empty();
  std::string error = uncertain ? restore_sent(item.fd, rest) : "";
  const std::string end_error = end_repair(item.fd, item.reuse_address);
  if (error.empty()) error = end_error;
  if (!error.empty()) {
    c.lost = error;
    item.repaired = false;
    return;
  }
  result_.connections++;
  if (uncertain) {
    result_.resent_bytes += rest.size();
  } else if (!rest.empty()) {
    reserve_buffer(item.fd, true, rest.size());
    const ssize_t n = send(item.fd, rest.data(), rest.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n != ssize_t(rest.size())) {
      // The guest believes these bytes written. A stream with a hole in it must not go on.
      c.lost = "only " + std::to_string(n) + " of " + std::to_string(rest.size()) + " bytes could be sent again";
      c.remote_reset = true;
      sender_.send(to_remote(c, kRst, c.local_seq(c.acknowledged)));
      lose(item, c.lost);
    }
    result_.resent_bytes += rest.size();
  } else if (!c.all_received() && !c.remote_reset) {
    // What the primary did not get to acknowledge; this client is not waiting for bytes, but for this.
    TcpPacket ack = to_remote(c, kAck, c.local_seq(c.acknowledged));
    // Never older than what the socket itself has said by now.
    ack.options.tsval = uint32_t(get_int(item.fd, SOL_TCP, TCP_TIMESTAMP));
    sender_.send(ack);
  }
  if (c.remote_reset) sender_.send(from_remote(c, kRst));
  else if (c.all_received()) sender_.send(from_remote(c, kFin | kAck));
  if (c.shut_read) shutdown(item.fd, SHUT_RD);
  // A FIN that was acknowledged is sent once more: the send position stands before it (see Connection::acknowledge).
  if (c.shut_write) shutdown(item.fd, SHUT_WR);
  if (item.own) {
    item.own.reset();
    return;
  }
  raise_events(item.fd);
}

// Those that are not repaired: there is nothing to go on with, or it did not succeed.
void Takeover::finish(Item& item) {
  Connection& c = *item.connection;
  const bool known = c.remote_isn && c.local_isn;
  if (!known && c.lost.empty()) return connect_again(item);
  if (item.shadow != nullptr && item.shadow->type != SOCK_STREAM) return;
  if (c.cookie == 0 && (!c.established || c.is_over() || c.lost.empty())) return;
  // Exactly the number that it expects; a reset with another one is ignored.
  if (known && !c.is_over())
    sender_.send(to_remote(c, kRst | kAck, item.expected_seq.value_or(c.local_seq(c.acknowledged))));
  if (c.lost.empty()) return;
  lose(item, c.lost);
  if (item.shadow != nullptr) refuse_guest(item);
}

// The guest was opening this connection, and nobody has answered yet. The remote end has heard of it at most; a handshake with other
// numbers from the same port is what it makes of a host that was restarted.
void Takeover::connect_again(Item& item) {
  if (item.shadow == nullptr) return;  // and has given up since
  Connection& c = *item.connection;
  const int flags = fcntl(item.fd, F_GETFL);
  fcntl(item.fd, F_SETFL, flags | O_NONBLOCK);
  sockaddr_storage address;
  const socklen_t len = c.key.remote.to(&address, item.family);
  int error = c.key.local.port == 0 ? 0 : bind_anywhere(item.fd, item.family, c.key.local);
  if (error == 0 && connect(item.fd, reinterpret_cast<sockaddr*>(&address), len) != 0 && errno != EINPROGRESS)
    error = errno;
  fcntl(item.fd, F_SETFL, flags);
  if (error == 0) result_.connections++;
  else lose(item, "cannot connect again: " + errno_text(error));
}

// The guest's end of a lost connection: its next call must say "connection reset", not "not connected".
void Takeover::refuse_guest(Item& item) {
  Connection& c = *item.connection;
  RepairSpec spec;
  spec.socket_family = item.family;
  spec.local = c.key.local;
  spec.remote = c.key.remote;
  // A guest that talked to itself, say.
  if (spec.remote.address.is_loopback()) spec.local.address = spec.remote.address;
  spec.receive_seq = 1;
  spec.send_seq = 1;
  if (!begin_repair(item.fd, spec).empty()) return;
  const std::optional<Endpoint> local = name_of(item.fd);
  end_repair(item.fd, item.reuse_address);
  if (!local) return;
  TcpPacket reset;
  reset.source = c.key.remote;
  reset.destination = *local;
  reset.seq = 1;
  reset.flags = kRst;
  sender_.send(reset);
}

void Takeover::adopt_orphans() {
  std::vector<Connection*> orphans;
  for (const Item& item : items_) {
    Connection* c = item.connection;
    if (c->cookie == 0 && c->established && !c->outward && !c->is_over() && c->lost.empty()) orphans.push_back(c);
  }
  if (orphans.empty()) return;
  // Their receive queues take after the listener's, and must hold what the primary's held.
  std::unordered_map<uint16_t, size_t> input;
  for (const Connection* c : orphans) input[c->key.local.port] = std::max(input[c->key.local.port], c->input.size());
  std::vector<std::pair<int, int>> sizes;
  for (const auto& [cookie, socket] : table_->sockets()) {
    const auto it = shadows_.find(cookie);
    if (!socket.listening || it == shadows_.end() || !socket.bound || input[socket.bound->port] == 0) continue;
    const int fd = it->second.fd.get();
    sizes.emplace_back(fd, get_int(fd, SOL_SOCKET, SO_RCVBUF));
    reserve_buffer(fd, false, input[socket.bound->port] * 4);
  }
  const std::vector<std::string> why = orphans_.put({orphans.begin(), orphans.end()});
  for (size_t i = 0; i < orphans.size(); i++) {
    Connection& c = *orphans[i];
    if (!why[i].empty()) {
      c.lost = "it was established and not accepted yet: " + why[i];
      continue;
    }
    result_.orphans++;
    if (c.all_received()) sender_.send(from_remote(c, kFin | kAck));
  }
  for (const auto& [fd, size] : sizes) restore_buffer(fd, false, size);
}

// From here on the clients' packets reach the connections.
void Takeover::open_vip() {
  const std::string table = standby_table(config_.service);
  const SetElement element{NFPROTO_INET, table.c_str(), "closed", {config_.vip.bytes.data(), config_.vip.size()}, 0};
  if (const int error = sets_.remove({&element, 1}))
    throw HostError("NET", error, "", "cannot open " + config_.vip.text() + " to its clients: " + errno_text(error));
}

void Takeover::replay_captured() {
  tap_.read([this](std::span<uint8_t> ip_packet) { on_captured(ip_packet); });
  for (const std::vector<uint8_t>& packet : captured_) {
    if (sender_.send(packet, config_.vip) == 0) result_.replayed_packets++;
  }
}

}  // namespace understudy::host
