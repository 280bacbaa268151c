// See sender.h.
#include "sender.h"

#include "sentinel.h"

#include <string.h>

namespace understudy::host {
namespace {
constexpr uint64_t kMs = 1'000'000;
// One write. Larger ones gain little, and on a slow network the backup would hear nothing while one of them is on its way.
constexpr uint64_t kWriteBytes = 64 * 1024;
constexpr size_t kInFlight = 8192;  // more than the transport takes
}  // namespace

MirrorSender::MirrorSender(MirrorConfig config, Hooks hooks)
    : config_(checked(std::move(config))), hooks_(std::move(hooks)), ring_(config_.ring_bytes), in_flight_(kInFlight) {
  socklen_t bytes = 0;
  parse_address(config_.address, config_.port, &bytes);
  // Not in the handshake, whose time is limited.
  Fabric::load();
  if (config_.encrypt) sealed_ = std::make_unique<TwinRing>(config_.ring_bytes);
  thread_ = start_thread("us-mirror-tx", [this] { run(); });
}

MirrorSender::~MirrorSender() { halt(); }

void MirrorSender::halt() {
  if (!thread_.joinable()) return;
  quiet_.store(true);
  stop_.store(true);
  {
    const std::lock_guard hold(state_mutex_);
    lost_.store(true);
  }
  state_changed_.notify_all();
  futex_bump(&room_word_);
  kick_.kick();
  thread_.join();
}

uint64_t MirrorSender::append(uint32_t type, uint64_t seq, const iovec* parts, int count, bool flush) {
  uint64_t payload = 0;
  for (int i = 0; i < count; i++) payload += parts[i].iov_len;
  const uint64_t span = wire::record_span(payload);
  if (span > config_.ring_bytes / 2)
    throw HostError("MIRROR", EMSGSIZE, "",
                    "a record of " + std::to_string(payload) + " bytes does not fit into a mirror ring of " +
                        std::to_string(config_.ring_bytes) + "; half of the ring is the limit");
  uint64_t end;
  {
    const std::lock_guard hold(append_mutex_);
    const uint64_t begin = appended_.load(std::memory_order_relaxed);
    end = begin + span;
    uint64_t blocked_since = 0;
    while (end > free_to_.load(std::memory_order_acquire) + config_.ring_bytes) {
      if (lost()) return 0;
      if (blocked_since == 0) {
        blocked_since = monotonic_ns();
        stat_blocks_.fetch_add(1, std::memory_order_relaxed);
      }
      // What fills the ring may be waiting to be sent.
      want(begin);
      post();
      room_sleepers_.fetch_add(1);
      const uint32_t word = load_acquire(room_word_);
      if (end > free_to_.load() + config_.ring_bytes && !lost()) futex_wait(&room_word_, word, 100);
      room_sleepers_.fetch_sub(1);
    }
    if (blocked_since != 0) stat_blocked_ns_.fetch_add(monotonic_ns() - blocked_since, std::memory_order_relaxed);
    if (lost()) return 0;
    uint8_t* const at = ring_.at(begin);
    wire::RecordHeader header{0, uint32_t(payload), config_.epoch, seq, type, wire::lap_of(begin)};
    memcpy(at, &header, sizeof header);
    uint8_t* to = at + sizeof header;
    for (int i = 0; i < count; i++) {
      memcpy(to, parts[i].iov_base, parts[i].iov_len);
      to += parts[i].iov_len;
    }
    memset(to, 0, size_t(at + span - to));
    const uint32_t crc = crc32c(0, at + sizeof header.crc, sizeof header - sizeof header.crc + payload);
    memcpy(at, &crc, sizeof crc);
    appended_.store(end, std::memory_order_release);
    stat_records_.store(stat_records_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    if (!flush && end - wanted_.load(std::memory_order_relaxed) < kWriteBytes) return end;
    want(end);
  }
  post();
  return end;
}

void MirrorSender::flush() {
  // Without append_mutex_: an appender holds it while it waits for room, which only the progress thread can bring.
  want(appended());
  post();
}

void MirrorSender::want(uint64_t position) {
  uint64_t known = wanted_.load();
  while (known < position && !wanted_.compare_exchange_weak(known, position)) continue;
}

void MirrorSender::post() {
  if (!connected_.load(std::memory_order_acquire)) return;
  // Nobody waits for the mutex: another appender that holds it looks again at what is wanted after it let go, and the progress
  // thread does so in every turn. It may be about to sleep, though.
  for (;;) {
    const uint64_t wanted = wanted_.load();
    if (!link_->mutex.try_lock()) return kick_.kick();
    bool error = false;
    try {
      if (!lost()) post_locked();
    } catch (const FabricError&) {
      error = true;  // the progress thread sees it too, and finds out why
    }
    const bool all = posted_.load(std::memory_order_relaxed) >= wanted;
    link_->mutex.unlock();
    if (error) kick_.kick();
    if (error || !all || wanted_.load() == wanted) return;
  }
}

void MirrorSender::retire() {
  const uint64_t completed = link_->fabric().completed();
  while (in_flight_head_ != in_flight_tail_ && in_flight_[in_flight_head_].write <= completed) {
    source_done_ = in_flight_[in_flight_head_].position;
    source_done_wire_ = in_flight_[in_flight_head_].wire;
    in_flight_head_ = (in_flight_head_ + 1) % kInFlight;
  }
}

void MirrorSender::post_locked() {
  Fabric& fabric = link_->fabric();
  retire();
  const uint64_t wanted = wanted_.load();
  for (uint64_t posted; (posted = posted_.load(std::memory_order_relaxed)) < wanted;) {
    const uint64_t bytes = std::min(wanted - posted, kWriteBytes);
    const uint64_t on_wire = bytes + (sealer_ ? kSealTag : 0);
    if (wire_posted_ + on_wire > wire_free_ + config_.ring_bytes) return;  // a mark will come
    const uint8_t* from = ring_.at(posted);
    if (sealer_) {
      if (wire_posted_ + on_wire > source_done_wire_ + sealed_->bytes()) return;
      uint8_t* const out = sealed_->at(wire_posted_);
      // A write that is not taken is sealed again, under the same counter and perhaps with more bytes. That gives nothing away:
      // the first version never left.
      sealer_->seal(wire_posted_, from, bytes, out);
      from = out;
    }
    if (!fabric.write(source_id_, from, on_wire, target_, wire_posted_ & (config_.ring_bytes - 1),
                      wire::immediate_of_bytes(on_wire)))
      return;
    posted_.store(posted + bytes, std::memory_order_relaxed);
    wire_posted_ += on_wire;
    in_flight_[in_flight_tail_] = {fabric.posted(), posted + bytes, wire_posted_};
    in_flight_tail_ = (in_flight_tail_ + 1) % kInFlight;
    stat_writes_.fetch_add(1, std::memory_order_relaxed);
    stat_wire_bytes_.fetch_add(on_wire, std::memory_order_relaxed);
  }
}

void MirrorSender::take_marks() {
  const MarkValues& peer = link_->peer();
  uint64_t free_to;
  {
    const std::lock_guard hold(link_->mutex);
    retire();
    if (peer.received > posted_ || peer.consumed > peer.received || peer.wire > wire_posted_)
      throw LinkLost{{MirrorLossKind::Corrupt, "the backup claims to hold more than it was sent", monotonic_ns(), 0}};
    wire_free_ = sealer_ ? peer.wire : peer.consumed;
    // Sealed, the plain ring is read when it is sealed; nothing of it is on its way.
    free_to = sealer_ ? peer.consumed : std::min(peer.consumed, source_done_);
  }
  if (free_to > free_to_.load(std::memory_order_relaxed)) {
    free_to_.store(free_to);
    if (room_sleepers_.load() != 0) futex_bump(&room_word_);
  }
  if (hooks_.on_answered && link_->answered_ns() > answered_ns_)
    hooks_.on_answered(answered_ns_ = link_->answered_ns());
  const Watermarks now{std::max(received_.load(), peer.received), std::max(durable_.load(), peer.durable),
                       std::max(applied_.load(), peer.applied)};
  durable_.store(now.durable, std::memory_order_release);
  applied_.store(now.applied, std::memory_order_release);
  received_.store(now.received, std::memory_order_release);
  if (hooks_.on_watermarks) hooks_.on_watermarks(now);
}

void MirrorSender::run() {
  try {
    establish();
    if (config_.realtime) realtime_.store(Link::make_realtime());
    serve();
  } catch (const LinkLost& lost) { lose(lost.loss); } catch (const MirrorRefusal& refusal) {
    const bool transport = refusal.reason == wire::Reason::kTransport || refusal.reason == wire::Reason::kClosed;
    lose({transport ? MirrorLossKind::Error : MirrorLossKind::Refused, refusal.what(), monotonic_ns(), 0});
  } catch (const std::exception& error) { lose({MirrorLossKind::Error, error.what(), monotonic_ns(), 0}); }
}

void MirrorSender::establish() {
  const uint64_t until = monotonic_ns() + config_.handshake_ms * kMs;
  std::unique_ptr<Control> control = Control::connect(config_.address, config_.port, until, kick_.fd());
  const Greeting greeting = greet_as_primary(*control, config_, until);
  const auto accept = control->receive<wire::Accept>(wire::kAccept, until);
  if (accept.ring_bytes != config_.ring_bytes)
    throw MirrorRefusal(wire::Reason::kMalformed, "the backup offers a ring of another size than it was asked for");
  auto fabric = std::make_unique<Fabric>(config_.provider, Fabric::Role::Connect, config_.address, accept.port);
  const TwinRing& source = sealed_ ? *sealed_ : ring_;
  source_id_ = fabric->share(source.base(), source.bytes() * 2, false);
  target_ = {accept.ring.address, accept.ring.key};
  if (config_.encrypt) sealer_ = std::make_unique<Sealer>(greeting.keys.records, Sealer::Use::Seal);
  link_ = std::make_unique<Link>(Link::Side::Primary, config_, greeting, std::move(control), std::move(fabric), kick_);
  link_->set_peer_marks(accept.marks);
  link_->control().send(wire::kReady, wire::Ready{link_->marks_memory()}, until);
  link_->fabric().connect(greeting.keys.token.data(), greeting.keys.token.size(), until);
  link_->control().receive<uint64_t>(wire::kGo, until);
  link_->start();
  if (hooks_.on_connected && !quiet_.load()) {
    MirrorPeer peer{link_->control().peer(), greeting.theirs.epoch, greeting.version, ""};
    peer.cpu_model = printable(
        {greeting.theirs.cpu_model, strnlen(greeting.theirs.cpu_model, sizeof greeting.theirs.cpu_model)});
    hooks_.on_connected(peer);
  }
  {
    const std::lock_guard hold(state_mutex_);
    connected_.store(true, std::memory_order_release);
  }
  state_changed_.notify_all();
}

void MirrorSender::serve() {
  // This thread lives as long as the mirror does.
  const Sentinel sentinel(link_->control().fd());
  const uint64_t spin_ns = config_.spin_us * 1000ull;
  uint64_t active = monotonic_ns();
  while (!stop_.load(std::memory_order_relaxed)) {
    const Link::Turn turn = link_->turn();
    if (turn.count > 0)
      throw LinkLost{
          {MirrorLossKind::Corrupt, "the backup wrote records, which only a primary does", monotonic_ns(), 0}};
    const bool any = turn.any;
    const uint64_t now = monotonic_ns();
    if (any) {
      active = now;
      take_marks();
    }
    if (link_->beat_due(now)) {
      flush();  // nothing waits for longer than a heartbeat
      const std::lock_guard hold(link_->mutex);
      link_->send_mark({});
    } else if (wanted_.load() > posted_.load(std::memory_order_relaxed)) {
      post();
    }
    // The transport may hold more than it has told: it is asked until it has nothing.
    if (any) continue;
    link_->judge();
    if (now - active < spin_ns) __builtin_ia32_pause();
    else link_->sleep(link_->next_duty_ns());
  }
}

void MirrorSender::lose(const MirrorLoss& how) {
  {
    const std::lock_guard hold(state_mutex_);
    lost_.store(true, std::memory_order_release);
  }
  state_changed_.notify_all();
  futex_bump(&room_word_);
  MirrorLoss loss = how;
  if (link_) {
    // Tells a silence that this host has made from one that the network has.
    MirrorStats stats;
    link_->fill(stats);
    loss.text += "; this end's own longest pause was " + std::to_string(stats.worst_gap_ns / kMs) + " ms";
  }
  if (link_) {
    const std::lock_guard hold(link_->mutex);
    if (loss.kind == MirrorLossKind::Corrupt || loss.kind == MirrorLossKind::Silent)
      link_->control().say(
          wire::kBye, loss.kind == MirrorLossKind::Corrupt ? wire::Reason::kCorrupt : wire::Reason::kClosed, loss.text);
    link_->control().shut();
  }
  if (hooks_.on_lost && !quiet_.load()) hooks_.on_lost(loss);
}

void MirrorSender::close(const std::string& reason, uint32_t drain_ms) {
  quiet_.store(true);
  const uint64_t until = monotonic_ns() + drain_ms * kMs;
  if (wait_connected(appended() > 0 ? drain_ms : 0)) {
    flush();
    while (!lost() && received_.load() < appended_.load() && monotonic_ns() < until) usleep(500);
    const std::lock_guard hold(link_->mutex);
    link_->control().say(wire::kBye, wire::Reason::kClosed, reason);
  }
  stop_.store(true);
  {
    const std::lock_guard hold(state_mutex_);
    lost_.store(true);
  }
  state_changed_.notify_all();
  futex_bump(&room_word_);
  kick_.kick();
}

Watermarks MirrorSender::watermarks() const {
  Watermarks marks;
  marks.received = received_.load(std::memory_order_acquire);
  marks.durable = durable_.load(std::memory_order_acquire);
  marks.applied = applied_.load(std::memory_order_acquire);
  return marks;
}

bool MirrorSender::wait_connected(uint32_t timeout_ms) {
  std::unique_lock hold(state_mutex_);
  state_changed_.wait_for(hold, std::chrono::milliseconds(timeout_ms),
                          [&] { return connected_.load() || lost_.load(); });
  return connected_.load() && !lost_.load();
}

PeerClock MirrorSender::peer_clock() const { return connected_.load() ? link_->peer_clock() : PeerClock{}; }

MirrorStats MirrorSender::stats() const {
  MirrorStats stats;
  stats.connected = connected_.load() && !lost();
  stats.realtime = realtime_.load();
  stats.records = stat_records_.load(std::memory_order_relaxed);
  stats.bytes = appended();
  stats.writes = stat_writes_.load(std::memory_order_relaxed);
  stats.wire_bytes = stat_wire_bytes_.load(std::memory_order_relaxed);
  stats.blocks = stat_blocks_.load(std::memory_order_relaxed);
  stats.blocked_ns = stat_blocked_ns_.load(std::memory_order_relaxed);
  if (connected_.load(std::memory_order_acquire)) link_->fill(stats);
  return stats;
}

}  // namespace understudy::host
