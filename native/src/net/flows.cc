// See flows.h.
#include "net/flows.h"

#include <algorithm>

namespace understudy::host {
namespace {
constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kLateNs = 20 * kMs;  // well below the 200 ms after which a client repeats what was not acknowledged
constexpr uint64_t kQueuedNs = 300 * kMs;  // at least, once through the queue
constexpr uint64_t kBusyTickNs = 10 * kMs, kIdleTickNs = 50 * kMs;
// How often the backup hears what a client has acknowledged; the more it has not heard of, the more output it keeps.
constexpr uint64_t kNoteNs = 50 * kMs;
// After the guest has ended a connection, and nothing is heard from the other end: as long as the kernel's own patience about is.
constexpr uint64_t kForgetNs = 120'000 * kMs;
constexpr uint32_t kNoteBytes = 256 * 1024;

uint32_t load(const uint32_t& word) { return __atomic_load_n(&word, __ATOMIC_ACQUIRE); }
uint64_t load(const uint64_t& word) { return __atomic_load_n(&word, __ATOMIC_ACQUIRE); }
void put(uint32_t& word, uint32_t value) { __atomic_store_n(&word, value, __ATOMIC_SEQ_CST); }

// Behind the event that a message of the guest belongs to: an offset of the ring.
uint64_t position_of(const abi::NetMessage& message, const uint8_t* payload) {
  uint64_t position = message.a;
  if (message.kind == abi::kNetConsumed && message.payload_bytes >= sizeof position)
    memcpy(&position, payload, sizeof position);
  return position;
}
}  // namespace

Flows::Flows(const GateConfig& config, uint8_t* net_area, Hooks hooks, bool queue_only)
    : vip_(config.vip),
      queue_only_(queue_only),
      hooks_(std::move(hooks)),
      filter_(config),
      sender_(config.vip.family),
      messages_(net_area, [this](abi::MessageLevel level, const std::string& text) { hooks_.report(level, text); }) {}

// ---- From the gate -------------------------------------------------------------------------------------------------------
void Flows::begin(const FlowKey& key, uint32_t base) {
  if (const auto it = flows_.find(key); it != flows_.end()) {
    const Shared known = it->second;
    if (known->base == base) return;  // the same SYN again
    if (!known->base) {
      known->base = base;  // the answer to the guest's own
      return enter(known);
    }
    // The port is used again. If the kernel holds on to the old connection, that one goes through the queue from here on.
    end(known);
  }
  const auto flow = std::make_shared<Flow>();
  flow->key = key;
  flow->base = base;
  flows_[key] = flow;
}

void Flows::end(const Shared& flow) {
  if (flow->entry != nullptr) filter_.remove(flow->key, flow->entry);
  flow->entry = nullptr;
  if (flow->cookie != 0) by_cookie_.erase(flow->cookie);
  const auto it = flows_.find(flow->key);
  if (it != flows_.end() && it->second == flow) flows_.erase(it);
}

void Flows::packet(Direction direction, const TcpPacket& packet, uint64_t position) {
  const std::lock_guard lock(mutex_);
  if (opened_ || closed_) return;
  const bool in = direction == Direction::kIn;
  const FlowKey key = in ? FlowKey{packet.source, packet.destination} : FlowKey{packet.destination, packet.source};
  if (packet.has(kSyn)) {
    if (in) begin(key, packet.seq + 1);
    return;
  }
  const auto it = flows_.find(key);
  if (it == flows_.end()) return;
  const Shared flow = it->second;
  if (!in) {
    // No FIN follows a reset, and the kernel has forgotten the connection.
    if (packet.has(kRst)) return end(flow);
    if (packet.has(kFin) && !flow->local_fin) {
      flow->local_fin = true;
      flow->local_fin_ns = monotonic_ns();
    }
    return;
  }
  // A reset may not be one (RFC 5961): if it is, there are no packets any more that could acknowledge too much.
  if (packet.has(kRst) || !flow->base) return;
  const uint64_t known = std::max(flow->read, flow->mirrored);
  const int64_t offset = int64_t(known) + int32_t(packet.seq - (*flow->base + uint32_t(known)));
  const int64_t after = offset + int64_t(packet.payload.size());
  if (after < 0) return;
  if (packet.has(kFin)) flow->remote_fin = uint64_t(after), flow->remote_fin_position = position;
  if (offset > int64_t(known) || after <= int64_t(flow->mirrored)) {
    if (packet.has(kFin)) pending_.push_back({position, flow, flow->mirrored});
    return;
  }
  flow->mirrored = uint64_t(after);
  pending_.push_back({position, flow, flow->mirrored});
}

void Flows::adopt(const std::vector<SocketState>& sockets, uint64_t position, uint64_t ring_offset) {
  const std::lock_guard lock(mutex_);
  if (opened_ || closed_) return;
  messages_.take([&](const abi::NetMessage& message, const uint8_t* payload) {
    return position_of(message, payload) <= ring_offset;
  });
  for (const SocketState& socket : sockets)
    if (socket.kind == SocketState::kStream && socket.gated && !socket.remote_reset) adopt(socket, position);
}

void Flows::adopt(const SocketState& socket, uint64_t position) {
  const FlowKey key{socket.remote, socket.local};
  if (const auto it = flows_.find(key); it != flows_.end()) {
    // A connection whose port has been used again sends nothing any more.
    if (socket.fin_acknowledged && socket.remote_fin) return;
    const Shared known = it->second;
    end(known);
  }
  const auto flow = std::make_shared<Flow>();
  flow->key = key;
  flow->base = socket.receive_seq;
  flow->mirrored = socket.unread.size();
  if (socket.remote_fin) flow->remote_fin = flow->mirrored, flow->remote_fin_position = position;
  if (socket.local_fin) flow->local_fin = true, flow->local_fin_ns = monotonic_ns();
  flow->cookie = socket.cookie;
  flows_[key] = flow;
  by_cookie_[socket.cookie] = flow;
  pending_.push_back({position, flow, flow->mirrored});
  enter(flow);
}

void Flows::tick() {
  std::vector<std::vector<uint8_t>> notes;
  look(&notes);
  // Not under the mutex, for which the mirror's thread may be waiting.
  for (const auto& note : notes) hooks_.mirror_packet(note);
}

void Flows::look(std::vector<std::vector<uint8_t>>* notes) {
  const std::lock_guard lock(mutex_);
  if (opened_ || closed_) return;
  const uint64_t now = monotonic_ns();
  bool busy = false;
  std::vector<Shared> over;
  for (const auto& [key, flow] : flows_) {
    FlowEntry* const entry = flow->entry;
    if (entry == nullptr) continue;
    if (load(entry->seen) != 0) {
      put(entry->seen, 0);
      busy = true;
      if (std::optional<std::vector<uint8_t>> note = note_to_backup(*flow, now)) notes->push_back(std::move(*note));
    }
    raise(*flow);
    if (load(entry->owed) != 0) {
      busy = true;
      if (flow->owed_since_ns == 0) flow->owed_since_ns = now;
      if (load(entry->bypass) != 0 && now - flow->owed_since_ns > kLateNs) {
        put(entry->bypass, 0);
        flow->queued_since_ns = now;
        stats_.late++;
      }
    } else {
      flow->owed_since_ns = 0;
      // The first packet of ours has shown that they leave where the filter sees them.
      const bool caught_up = flow->read >= flow->mirrored && now - flow->queued_since_ns > kQueuedNs;
      if (!queue_only_ && load(entry->bypass) == 0 && load(entry->out_valid) != 0 && caught_up) put(entry->bypass, 1);
    }
    const uint64_t held = std::max(flow->read, flow->mirrored_held);
    const bool both_ends = flow->remote_fin && held >= *flow->remote_fin && load(entry->owed) == 0;
    if (flow->local_fin && (both_ends || now - flow->local_fin_ns > kForgetNs)) {
      // The backup keeps the connection until it knows that the guest's end was acknowledged. If it was not yet, that comes by the queue.
      flow->noted_ns = 0;
      if (std::optional<std::vector<uint8_t>> note = note_to_backup(*flow, now)) notes->push_back(std::move(*note));
      over.push_back(flow);
    }
  }
  for (const Shared& flow : over) end(flow);
  next_tick_ns_ = now + (busy ? kBusyTickNs : kIdleTickNs);
}

std::optional<std::vector<uint8_t>> Flows::note_to_backup(Flow& flow, uint64_t now_ns) {
  const uint64_t pair = load(flow.entry->in_ack_window), stamps = load(flow.entry->in_timestamps);
  const auto ack = uint32_t(pair >> 32);
  if (load(flow.entry->in_valid) == 0 || (ack == flow.noted_ack && flow.noted_ns != 0)) return std::nullopt;
  if (flow.noted_ns != 0 && ack - flow.noted_ack < kNoteBytes && now_ns - flow.noted_ns < kNoteNs) return std::nullopt;
  TcpPacket packet;
  packet.source = flow.key.remote;
  packet.destination = flow.key.local;
  packet.seq = *flow.base + uint32_t(flow.read);
  packet.ack = ack;
  packet.window = uint16_t(pair);
  packet.flags = kAck;
  packet.options.timestamps = stamps != 0;
  packet.options.tsval = uint32_t(stamps >> 32);
  packet.options.tsecr = uint32_t(stamps);
  flow.noted_ack = ack;
  flow.noted_ns = now_ns;
  stats_.notes++;
  return build_tcp(packet);
}

// ---- From the guest --------------------------------------------------------------------------------------------------------
void Flows::guest(const abi::NetMessage& message, const uint8_t* payload) {
  if (message.kind == abi::kNetConsumed) {
    const auto it = by_cookie_.find(message.cookie);
    if (it == by_cookie_.end()) return;
    it->second->read += message.a;
    raise(*it->second);
    return;
  }
  if (message.kind != abi::kNetAccept && message.kind != abi::kNetConnect) return;
  const std::optional<Endpoint> remote = address_in(message, payload, 0), local = address_in(message, payload, 1);
  if (!remote || !local || local->address != vip_) return;
  const FlowKey key{*remote, *local};
  auto it = flows_.find(key);
  if (it == flows_.end()) {
    // Opened by the guest: its number at the other end comes with the answer.
    if (message.kind != abi::kNetConnect) return;
    it = flows_.emplace(key, std::make_shared<Flow>()).first;
    it->second->key = key;
  }
  const Shared flow = it->second;
  if (flow->cookie != 0) return;
  flow->cookie = message.cookie;
  by_cookie_[message.cookie] = flow;
  if (flow->base) enter(flow);
}

void Flows::enter(const Shared& flow) {
  const uint64_t held = std::max(flow->read, flow->mirrored_held);
  FlowEntry begin{};
  // What came through the queue is acknowledged already, or will be when the backup has it.
  begin.clamp = 1;
  begin.held = *flow->base + uint32_t(std::max(held, flow->mirrored));
  flow->entry = filter_.add(flow->key, begin);
  stats_.flows += flow->entry != nullptr;
}

void Flows::raise(Flow& flow) {
  FlowEntry* const entry = flow.entry;
  if (entry == nullptr) return;
  uint64_t held = std::max(flow.read, flow.mirrored_held);
  // A FIN counts as a byte behind the last.
  if (flow.remote_fin && held >= *flow.remote_fin && flow.remote_fin_position <= received_) held = *flow.remote_fin + 1;
  const uint32_t number = *flow.base + uint32_t(held);
  if (int32_t(number - load(entry->held)) > 0) put(entry->held, number);
  if (!queue_only_ && load(entry->bypass) == 0 && load(entry->out_valid) != 0 && flow.queued_since_ns == 0)
    put(entry->bypass, 1);
  if (load(entry->owed) != 0) acknowledge(flow);
}

// Makes up for an acknowledgement that the filter withheld, as far as it may be made now.
void Flows::acknowledge(Flow& flow) {
  FlowEntry& entry = *flow.entry;
  const uint32_t held = load(entry.held);
  put(entry.owed, 0);
  const uint32_t want = load(entry.want);
  const bool all = int32_t(want - held) <= 0;
  if (all || held != flow.told_ack) {
    const uint64_t pair = load(entry.out_next_window), stamps = load(entry.out_timestamps);
    TcpPacket packet;
    packet.source = flow.key.local;
    packet.destination = flow.key.remote;
    packet.seq = uint32_t(pair >> 32);
    packet.ack = held;
    packet.window = uint16_t(pair);
    packet.flags = kAck;
    packet.options.timestamps = stamps != 0;
    packet.options.tsval = uint32_t(stamps >> 32);
    packet.options.tsecr = uint32_t(stamps);
    sender_.send(packet);  // one that does not get out is as one that is lost: the client asks again
    flow.told_ack = held;
    stats_.acknowledgements++;
  }
  if (!all) put(entry.owed, 1);
}

// ---- From the mirror -------------------------------------------------------------------------------------------------------
void Flows::sent(uint64_t position, uint64_t ring_end) {
  const std::lock_guard lock(mutex_);
  if (opened_ || closed_) return;
  sent_.push_back({position, ring_end});
}

void Flows::advance(uint64_t received) {
  bool tick = false;
  {
    const std::lock_guard lock(mutex_);
    if (opened_ || closed_) return;
    received_ = std::max(received_, received);
    while (!sent_.empty() && sent_.front().position <= received_) {
      ring_held_ = sent_.front().value;
      sent_.pop_front();
    }
    while (!pending_.empty() && pending_.front().position <= received_) {
      if (const Shared flow = pending_.front().flow.lock()) {
        flow->mirrored_held = std::max(flow->mirrored_held, pending_.front().mirrored);
        raise(*flow);
      }
      pending_.pop_front();
    }
    messages_.take([this](const abi::NetMessage& message, const uint8_t* payload) {
      if (position_of(message, payload) > ring_held_) return false;
      guest(message, payload);
      return true;
    });
    if (const uint64_t now = monotonic_ns(); !by_cookie_.empty() && now >= next_tick_ns_) {
      next_tick_ns_ = now + kBusyTickNs;
      tick = true;
    }
  }
  if (tick) hooks_.want_tick();
}

void Flows::open() {
  const std::lock_guard lock(mutex_);
  if (opened_ || closed_) return;
  opened_ = true;
  for (const auto& [key, flow] : flows_) {
    if (flow->entry == nullptr) continue;
    put(flow->entry->clamp, 0);
    put(flow->entry->bypass, 1);
    if (load(flow->entry->owed) == 0) continue;
    put(flow->entry->held, load(flow->entry->want));
    acknowledge(*flow);
  }
  pending_.clear();
  sent_.clear();
}

void Flows::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (const auto& [key, flow] : flows_)
    if (flow->entry != nullptr) put(flow->entry->bypass, 0);
}

void Flows::reopen() {
  const std::lock_guard lock(mutex_);
  closed_ = false;
}

Flows::Stats Flows::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

}  // namespace understudy::host
