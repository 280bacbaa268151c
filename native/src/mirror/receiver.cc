// See receiver.h.
#include "receiver.h"

#include "sentinel.h"

#include <string.h>
#include <sys/socket.h>

namespace understudy::host {
namespace {
constexpr uint64_t kMs = 1'000'000;
using wire::Reason;

// The address at which the primary reached this host: there the transport listens too.
std::string local_address(int fd) {
  sockaddr_storage name{};
  socklen_t bytes = sizeof name;
  getsockname(fd, reinterpret_cast<sockaddr*>(&name), &bytes);
  const std::string text = format_address(name);
  return name.ss_family == AF_INET6 ? text.substr(1, text.rfind(']') - 1) : text.substr(0, text.rfind(':'));
}
}  // namespace

MirrorReceiver::MirrorReceiver(MirrorConfig config, Hooks hooks)
    : config_(checked(std::move(config))), hooks_(std::move(hooks)) {
  // Not in the handshake, whose time is limited.
  Fabric::load();
  door_ = std::make_unique<Door>(config_.address, config_.port,
                                 Door::Hooks{[this](Door::Visitor& visitor) { visit(visitor); }, hooks_.on_incident});
}

MirrorReceiver::~MirrorReceiver() {
  quiet_.store(true);
  stop_.store(true);
  // First the visits: one of them may be about to start the threads.
  door_.reset();
  kick_.kick();
  if (progress_.joinable()) progress_.join();
  over_.store(true);
  wake_consumer();
  if (consumer_.joinable()) consumer_.join();
  link_.reset();  // before the memory that it writes
}

// ---- Connecting ----------------------------------------------------------------------------------------------
void MirrorReceiver::visit(Door::Visitor& visitor) {
  const uint64_t until = monotonic_ns() + config_.handshake_ms * kMs;
  const Greeting greeting = greet_as_backup(*visitor.control, config_, until);
  visitor.trusted.store(true);
  {
    const std::lock_guard hold(state_mutex_);
    if (state_ != State::Waiting) {
      const bool over = state_ == State::Over;
      const std::string text = over ? "this backup of service '" + config_.service +
                                          "' acknowledges nothing any more: " + fence_text_
                                    : "this backup of service '" + config_.service +
                                          "' is connected to a primary already";
      visitor.control->say(wire::kBye, over ? Reason::kFenced : Reason::kBusy, text);
      throw MirrorRefusal(over ? Reason::kFenced : Reason::kBusy, text);
    }
    state_ = State::Connecting;
  }
  MirrorPeer peer{visitor.control->peer(), greeting.theirs.epoch, greeting.version, ""};
  peer.cpu_model = printable(
      {greeting.theirs.cpu_model, strnlen(greeting.theirs.cpu_model, sizeof greeting.theirs.cpu_model)});
  std::unique_ptr<Link> link;
  try {
    auto fabric = std::make_unique<Fabric>(config_.provider, Fabric::Role::Listen, local_address(visitor.control->fd()),
                                           uint16_t(0));
    ring_bytes_ = greeting.theirs.ring_bytes;
    ring_ = std::make_unique<TwinRing>(ring_bytes_);
    if (config_.encrypt) {
      opened_ = std::make_unique<TwinRing>(ring_bytes_);
      opener_ = std::make_unique<Sealer>(greeting.keys.records, Sealer::Use::Open);
    }
    ring_id_ = fabric->share(ring_->base(), ring_->bytes() * 2, true);
    const RemoteMemory ring = fabric->shared(ring_id_);
    const uint16_t port = fabric->port();
    link = std::make_unique<Link>(Link::Side::Backup, config_, greeting, std::move(visitor.control), std::move(fabric),
                                  kick_);
    Control& control = link->control();
    control.send(wire::kAccept,
                 wire::Accept{greeting.version, port, 0, {ring.address, ring.key}, link->marks_memory(), ring_bytes_},
                 until);
    link->set_peer_marks(control.receive<wire::Ready>(wire::kReady, until).marks);
    link->fabric().accept(greeting.keys.token.data(), greeting.keys.token.size(), until);
    control.send(wire::kGo, uint64_t{0}, until);
    link->start();
  } catch (const std::exception& error) {
    if (link) link->control().say(wire::kBye, Reason::kTransport, error.what());
    else if (visitor.control) visitor.control->say(wire::kBye, Reason::kTransport, error.what());
    link.reset();
    const std::lock_guard hold(state_mutex_);
    if (state_ == State::Connecting) state_ = State::Waiting;
    throw;
  }
  {
    const std::lock_guard hold(state_mutex_);
    if (state_ != State::Connecting || stop_.load()) {
      link->control().say(wire::kBye, Reason::kFenced, fence_text_);
      return;
    }
    link_ = std::move(link);
    peer_epoch_ = greeting.theirs.epoch;
    state_ = State::Connected;
  }
  connected_.store(true, std::memory_order_release);
  if (hooks_.on_connected) hooks_.on_connected(peer);
  consumer_ = start_thread("us-mirror-out", [this] { consume(); });
  progress_ = start_thread("us-mirror-rx", [this] { run(); });
}

// ---- Progress ------------------------------------------------------------------------------------------------
void MirrorReceiver::run() {
  if (config_.realtime) realtime_.store(Link::make_realtime());
  try {
    serve();
  } catch (const LinkLost& lost) { lose(lost.loss); } catch (const std::exception& error) {
    lose({MirrorLossKind::Error, error.what(), monotonic_ns(), 0});
  }
  finish();
}

void MirrorReceiver::serve() {
  // This thread lives as long as the mirror does.
  const Sentinel sentinel(link_->control().fd());
  const uint64_t spin_ns = config_.spin_us * 1000ull;
  uint64_t active = monotonic_ns();
  while (!stop_.load(std::memory_order_relaxed)) {
    const Link::Turn turn = link_->turn();
    if (turn.count > 0) take(turn);
    const uint64_t now = monotonic_ns();
    if (mark_due_ || link_->beat_due(now) || tell_now_.exchange(false))
      if (!tell()) return;
    if (turn.any) {
      active = now;
      // The transport may hold more than it has told: it is asked until it has nothing.
      continue;
    }
    link_->judge();
    if (now - active < spin_ns) __builtin_ia32_pause();
    else link_->sleep(link_->next_duty_ns());
  }
}

void MirrorReceiver::take(const Link::Turn& turn) {
  for (int i = 0; i < turn.count; i++) {
    const uint64_t bytes = turn.bytes[i];
    stat_wire_bytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (opener_) {
      open_sealed(bytes);
    } else {
      arrived_ += bytes;
      wire_ += bytes;
      if (arrived_ - consumed_.load(std::memory_order_acquire) > ring_bytes_)
        corrupt("the primary wrote over records that were not consumed yet");
    }
  }
  stat_writes_.fetch_add(uint64_t(turn.count), std::memory_order_relaxed);
  verify();
  publish();
}

void MirrorReceiver::open_sealed(uint64_t bytes) {
  if (bytes <= kSealTag || bytes > ring_bytes_) corrupt("the primary sent a batch of an impossible size");
  const uint64_t plain = bytes - kSealTag;
  if (arrived_ + plain - consumed_.load(std::memory_order_acquire) > ring_bytes_)
    corrupt("the primary sent more than there is room for");
  if (!opener_->open(wire_, ring_->at(wire_), plain, opened_->at(arrived_)))
    corrupt("a sealed batch failed its authentication at byte " + std::to_string(wire_));
  arrived_ += plain;
  wire_ += bytes;
}

void MirrorReceiver::verify() {
  const TwinRing& ring = opened_ ? *opened_ : *ring_;
  while (arrived_ - verified_ >= sizeof(wire::RecordHeader)) {
    wire::RecordHeader header;
    const uint8_t* const at = ring.at(verified_);
    memcpy(&header, at, sizeof header);
    const uint64_t span = wire::record_span(header.bytes);
    if (span > ring_bytes_ / 2 || header.lap != wire::lap_of(verified_) || header.epoch != peer_epoch_)
      corrupt("no record begins at byte " + std::to_string(verified_) + " of the mirror, where one is due");
    if (arrived_ - verified_ < span) return;
    const uint32_t crc = crc32c(0, at + sizeof header.crc, sizeof header - sizeof header.crc + header.bytes);
    if (crc != header.crc)
      corrupt("the record at byte " + std::to_string(verified_) + " of the mirror (seq " + std::to_string(header.seq) +
              ") failed its CRC");
    verified_ += span;
    verified_records_++;
  }
}

// Under one lock with the fence: received_ never moves after it.
void MirrorReceiver::publish() {
  {
    const std::lock_guard hold(link_->mutex);
    if (!fenced_ && verified_ > received_.load(std::memory_order_relaxed)) {
      received_.store(verified_, std::memory_order_release);
      stat_records_.store(verified_records_, std::memory_order_relaxed);
    }
  }
  mark_due_ = true;
  // The mark first: the primary's output waits for it, and waking a thread takes longer than sending.
  tell();
  if (consumer_sleeps_.load()) wake_consumer();
}

// False: fenced.
bool MirrorReceiver::tell() {
  const std::lock_guard hold(link_->mutex);
  if (fenced_) return false;
  const uint64_t consumed = consumed_.load(std::memory_order_acquire);
  mark_due_ = !link_->send_mark({received_.load(std::memory_order_relaxed), consumed,
                                 durable_.load(std::memory_order_acquire), applied_.load(std::memory_order_acquire),
                                 wire_});
  if (!mark_due_) told_consumed_.store(consumed, std::memory_order_relaxed);
  return true;
}

void MirrorReceiver::corrupt(const std::string& text) {
  throw LinkLost{{MirrorLossKind::Corrupt, text, monotonic_ns(), 0}};
}

// What is in this host's memory already belongs to the backup, even if the primary is gone: the more of it, the less is lost
// where outputs did not have to wait (RPO > 0).
void MirrorReceiver::drain() {
  try {
    for (;;) {
      Link::Turn turn;
      {
        const std::lock_guard hold(link_->mutex);
        if (fenced_) return;
        const Fabric::Polled polled = link_->fabric().poll();
        if (!polled.any) return;
        for (int i = 0; i < polled.count; i++)
          if ((polled.immediates[i] & wire::kImmediateMark) == 0)
            turn.bytes[turn.count++] = wire::bytes_of_immediate(polled.immediates[i]);
      }
      if (turn.count > 0) take(turn);
    }
  } catch (const FabricError&) {
    // The end of what there was.
  } catch (const LinkLost&) {
    // What does not verify is not taken; the loss that is being handled is reason enough.
  }
}

void MirrorReceiver::lose(const MirrorLoss& loss) {
  if (loss.kind != MirrorLossKind::Corrupt) drain();
  {
    const std::lock_guard hold(link_->mutex);
    if (fenced_) return;
    fenced_ = true;
    link_->fabric().withdraw(ring_id_);
    link_->control().say(wire::kBye, loss.kind == MirrorLossKind::Corrupt ? Reason::kCorrupt : Reason::kFenced,
                         "the backup gave this connection up: " + loss.text);
    link_->control().shut();
  }
  {
    const std::lock_guard hold(state_mutex_);
    state_ = State::Over;
    fence_text_ = "its connection was lost (" + loss.text + ")";
  }
  if (hooks_.on_lost && !quiet_.load()) hooks_.on_lost(loss);
}

void MirrorReceiver::finish() {
  over_.store(true);
  wake_consumer();
}

void MirrorReceiver::stop_acknowledging(const std::string& why) {
  {
    const std::lock_guard hold(state_mutex_);
    if (state_ == State::Over) return;
    const bool connected = state_ == State::Connected;
    state_ = State::Over;
    fence_text_ = why;
    if (!connected) return;
  }
  {
    const std::lock_guard hold(link_->mutex);
    if (fenced_) return;
    fenced_ = true;
    link_->fabric().withdraw(ring_id_);
    link_->control().say(wire::kBye, Reason::kFenced, "the backup stopped acknowledging: " + why);
    link_->control().shut();
  }
  tell_now_.store(true);  // the progress thread then finds the fence, and ends
  kick_.kick();
}

// ---- Handing on ----------------------------------------------------------------------------------------------
void MirrorReceiver::wake_consumer() { futex_bump(&consumer_word_); }

void MirrorReceiver::consume() {
  const TwinRing& ring = opened_ ? *opened_ : *ring_;
  uint64_t at = 0;
  for (;;) {
    const bool over = over_.load();
    const uint64_t to = received();
    if (at == to) {
      if (over) break;
      const uint32_t word = load_acquire(consumer_word_);
      consumer_sleeps_.store(true);
      if (received() == at && !over_.load()) futex_wait(&consumer_word_, word, -1);
      consumer_sleeps_.store(false);
      continue;
    }
    if (stop_.load(std::memory_order_relaxed)) break;
    while (at < to) {
      wire::RecordHeader header;
      memcpy(&header, ring.at(at), sizeof header);
      const uint64_t span = wire::record_span(header.bytes);
      // Verified before, but it lies in memory that a peer can write: nothing may reach beyond what was received.
      if (span > to - at) break;
      hooks_.on_record({header.type, header.epoch, header.seq, at + span, ring.at(at) + sizeof header, header.bytes});
      at += span;
      consumed_.store(at, std::memory_order_release);
      // Told with the next mark anyway; at once when the primary may be short of room.
      if (at - told_consumed_.load(std::memory_order_relaxed) > ring_bytes_ / 8 && !tell_now_.exchange(true))
        kick_.kick();
    }
    if (at < to) break;
  }
  if (hooks_.on_end && !quiet_.load()) hooks_.on_end(received());
}

void MirrorReceiver::set_durable(uint64_t position) {
  durable_.store(position, std::memory_order_release);
  if (connected_.load() && !tell_now_.exchange(true)) kick_.kick();
}

void MirrorReceiver::set_applied(uint64_t position) { applied_.store(position, std::memory_order_release); }

bool MirrorReceiver::connected() const {
  const std::lock_guard hold(state_mutex_);
  return state_ == State::Connected;
}

PeerClock MirrorReceiver::peer_clock() const {
  return connected_.load(std::memory_order_acquire) ? link_->peer_clock() : PeerClock{};
}

MirrorStats MirrorReceiver::stats() const {
  MirrorStats stats;
  stats.connected = connected();
  stats.realtime = realtime_.load();
  stats.records = stat_records_.load(std::memory_order_relaxed);
  stats.bytes = received();
  stats.writes = stat_writes_.load(std::memory_order_relaxed);
  stats.wire_bytes = stat_wire_bytes_.load(std::memory_order_relaxed);
  stats.incidents = door_ ? door_->incidents() : 0;
  if (connected_.load(std::memory_order_acquire)) link_->fill(stats);
  return stats;
}

}  // namespace understudy::host
