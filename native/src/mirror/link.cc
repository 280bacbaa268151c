// See link.h.
#include "link.h"

#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include <mutex>

namespace understudy::host {
namespace {
constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kMarksBytes = wire::kMarkSlots * wire::kMarkStride;
// A round trip is kept as the best for so long; then clocks may have drifted, and the next one counts.
constexpr uint64_t kTripLifeNs = 10'000 * kMs;
// What a mark seals, and what its CRC covers.
constexpr size_t kSealedFrom = offsetof(wire::Mark, received), kSealedTo = offsetof(wire::Mark, tag);
constexpr size_t kCrcTo = offsetof(wire::Mark, crc);
}  // namespace

const char* name_of(MirrorLossKind kind) {
  switch (kind) {
    case MirrorLossKind::Closed: return "closed";
    case MirrorLossKind::Silent: return "silent";
    case MirrorLossKind::Refused: return "refused";
    case MirrorLossKind::Error: return "error";
    case MirrorLossKind::Corrupt: return "corrupt";
  }
  return "error";
}

Kick::Kick() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!fd_) throw HostError("MIRROR", errno, "", "an eventfd could not be made: " + errno_text(errno));
}
void Kick::kick() const {
  const uint64_t one = 1;
  // Full means that it is awake already.
  if (write(fd_.get(), &one, sizeof one) < 0) return;
}
void Kick::clear() const {
  uint64_t count;
  if (read(fd_.get(), &count, sizeof count) < 0) return;
}

Link::Link(Side side, const MirrorConfig& config, const Greeting& greeting, std::unique_ptr<Control> control,
           std::unique_ptr<Fabric> fabric, const Kick& kick)
    : side_(side),
      heartbeat_ns_(config.heartbeat_ms * kMs),
      peer_heartbeat_ns_(std::max(greeting.theirs.heartbeat_ms, 1u) * kMs),
      deadline_ns_(config.deadline_ms * kMs),
      kick_(kick),
      control_(std::move(control)),
      fabric_(std::move(fabric)) {
  void* memory = mmap(nullptr, kMarksBytes * 2, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1,
                      0);
  if (memory == MAP_FAILED) throw HostError("MIRROR", errno, "", "memory for the mirror's marks: " + errno_text(errno));
  marks_ = static_cast<uint8_t*>(memory);
  out_id_ = fabric_->share(marks_, kMarksBytes, false);
  in_id_ = fabric_->share(marks_ + kMarksBytes, kMarksBytes, true);
  if (config.encrypt) {
    const bool primary = side == Side::Primary;
    seal_ = std::make_unique<Sealer>(primary ? greeting.keys.marks_primary : greeting.keys.marks_backup,
                                     Sealer::Use::Seal);
    open_ = std::make_unique<Sealer>(primary ? greeting.keys.marks_backup : greeting.keys.marks_primary,
                                     Sealer::Use::Open);
  }
}

Link::~Link() {
  fabric_.reset();
  if (marks_ != nullptr) munmap(marks_, kMarksBytes * 2);
}

wire::Memory Link::marks_memory() const {
  const RemoteMemory memory = fabric_->shared(in_id_);
  return {memory.address, memory.key};
}

void Link::set_peer_marks(wire::Memory memory) { peer_marks_ = {memory.address, memory.key}; }

void Link::start() {
  const uint64_t now = monotonic_ns();
  live_.emplace(peer_heartbeat_ns_, deadline_ns_, now);
  next_beat_ = now;
}

bool Link::send_mark(const MarkValues& values) {
  const uint64_t counter = marks_sent_ + 1;
  const uint64_t slot = counter % wire::kMarkSlots;
  const uint64_t now = monotonic_ns();
  next_beat_ = now + kMs;  // if it cannot be sent
  // What is on its way must not change. Completions are asked for every few writes only, so some slots count as busy for longer
  // than they are; there are enough of them.
  if (slot_posted_[slot] > fabric_->completed()) return false;
  wire::Mark mark{};
  mark.counter = counter;
  mark.received = values.received;
  mark.consumed = values.consumed;
  mark.durable = values.durable;
  mark.applied = values.applied;
  mark.wire = values.wire;
  mark.monotonic_ns = now;
  mark.realtime_ns = realtime_ns();
  mark.echo_ns = peer_sent_ns_;
  mark.held_ns = peer_sent_ns_ == 0 ? 0 : now - peer_came_ns_;
  uint8_t* out = marks_ + slot * wire::kMarkStride;
  if (seal_) {
    uint8_t sealed[kSealedTo - kSealedFrom + kSealTag];
    seal_->seal(counter, reinterpret_cast<const uint8_t*>(&mark) + kSealedFrom, kSealedTo - kSealedFrom, sealed);
    memcpy(out, &mark.counter, sizeof mark.counter);
    memcpy(out + kSealedFrom, sealed, sizeof sealed);
  } else {
    mark.crc = crc32c(0, &mark, kCrcTo);
    memcpy(out, &mark, sizeof mark);
  }
  if (!fabric_->write(out_id_, out, sizeof mark, peer_marks_, slot * wire::kMarkStride,
                      wire::kImmediateMark | uint32_t(slot)))
    return false;
  slot_posted_[slot] = fabric_->posted();
  marks_sent_ = counter;
  next_beat_ = now + heartbeat_ns_;
  stat_marks_sent_.store(counter, std::memory_order_relaxed);
  return true;
}

void Link::take_mark(uint32_t slot) {
  if (slot >= wire::kMarkSlots) lost(MirrorLossKind::Corrupt, "the peer wrote a mark that cannot be");
  const uint8_t* in = marks_ + kMarksBytes + slot * wire::kMarkStride;
  wire::Mark mark;
  // With a network card the slot may be written again while it is read, if this end is 64 marks late. The next look then
  // finds it whole.
  for (int attempt = 0;; attempt++) {
    memcpy(&mark, in, sizeof mark);
    bool good;
    if (open_) {
      uint8_t plain[kSealedTo - kSealedFrom];
      good = open_->open(mark.counter, reinterpret_cast<const uint8_t*>(&mark) + kSealedFrom, sizeof plain, plain);
      if (good) memcpy(reinterpret_cast<uint8_t*>(&mark) + kSealedFrom, plain, sizeof plain);
    } else {
      good = crc32c(0, &mark, kCrcTo) == mark.crc;
    }
    if (good && mark.counter % wire::kMarkSlots == slot) break;
    if (attempt == 100)
      lost(MirrorLossKind::Corrupt,
           open_ ? "a mark of the peer's failed its authentication" : "a mark of the peer's failed its CRC");
    usleep(10);
  }
  if (mark.counter <= peer_counter_) return;  // overtaken by one that was seen already
  const uint64_t now = monotonic_ns();
  peer_counter_ = mark.counter;
  peer_values_ = {mark.received, mark.consumed, mark.durable, mark.applied, mark.wire};
  peer_sent_ns_ = mark.monotonic_ns;
  peer_came_ns_ = now;
  answered_ns_ = std::max(answered_ns_, mark.echo_ns);
  stat_marks_received_.fetch_add(1, std::memory_order_relaxed);
  note_clock(mark, now);
}

void Link::note_clock(const wire::Mark& mark, uint64_t now) {
  if (mark.echo_ns == 0 || now < mark.echo_ns + mark.held_ns) return;
  const uint64_t trip = now - mark.echo_ns - mark.held_ns;
  if (trip > best_trip_ns_.load(std::memory_order_relaxed) &&
      now - best_trip_at_.load(std::memory_order_relaxed) < kTripLifeNs)
    return;
  // The mark was sent half a round trip ago.
  monotonic_offset_.store(int64_t(mark.monotonic_ns + trip / 2 - now), std::memory_order_relaxed);
  realtime_offset_.store(int64_t(mark.realtime_ns + trip / 2 - realtime_ns()), std::memory_order_relaxed);
  best_trip_at_.store(now, std::memory_order_relaxed);
  best_trip_ns_.store(trip, std::memory_order_release);
}

void Link::lost(MirrorLossKind kind, const std::string& text) {
  const uint64_t now = monotonic_ns();
  throw LinkLost{{kind, text, now, live_->silence(now)}};
}

void Link::look_at_control() {
  pollfd ready{control_->fd(), POLLIN, 0};
  if (poll(&ready, 1, 0) <= 0) return;
  try {
    const std::lock_guard hold(mutex);
    uint8_t none;
    // Nothing but a farewell is ever due, and that one throws.
    control_->receive(wire::kBye, &none, 1, monotonic_ns() + 20 * kMs);
  } catch (const MirrorRefusal& refusal) {
    switch (refusal.reason) {
      case wire::Reason::kNone:
      case wire::Reason::kClosed:
      case wire::Reason::kTransport: lost(MirrorLossKind::Closed, refusal.what());
      case wire::Reason::kCorrupt: lost(MirrorLossKind::Corrupt, refusal.what());
      default: lost(MirrorLossKind::Refused, refusal.what());
    }
  }
}

void Link::lost_transport(const std::string& text) {
  // A refused write and a dead peer look alike here. If the peer lives, it says why on the control connection.
  pollfd ready{control_->fd(), POLLIN, 0};
  poll(&ready, 1, 5);
  look_at_control();
  lost(MirrorLossKind::Error, text);
}

Link::Turn Link::turn() {
  looked_at_ = monotonic_ns();
  const uint64_t absent = live_->look(looked_at_, planned_ns_);
  planned_ns_ = 0;
  // After a sleep that was none of ours (a frozen host), what the peer says of the end comes before what it acknowledged when it
  // still took this end for alive: a primary that comes back must not release output first and read then that it is fenced.
  if (absent > peer_heartbeat_ns_) look_at_control();
  Turn turn;
  Fabric::Polled polled;
  try {
    const std::lock_guard hold(mutex);
    polled = fabric_->poll();
  } catch (const FabricError& error) { lost_transport(error.what()); }
  turn.any = polled.any;
  if (polled.count > 0) live_->heard(monotonic_ns());
  for (int i = 0; i < polled.count; i++) {
    const uint32_t immediate = polled.immediates[i];
    if ((immediate & wire::kImmediateMark) != 0) take_mark(immediate & ~wire::kImmediateMark);
    else turn.bytes[turn.count++] = wire::bytes_of_immediate(immediate);
  }
  // The rarer signs cost a system call: when sleep() saw one, and now and then while busy.
  if (check_ || ++turns_ % 256 == 0) {
    check_ = false;
    std::string ended;
    {
      const std::lock_guard hold(mutex);
      ended = fabric_->ended();
    }
    // What came before the end is to be taken first; the signs stay.
    if (turn.any) {
      ended_ = ended;
      check_ = true;
    } else {
      if (!ended.empty() || !ended_.empty()) lost_transport(ended.empty() ? ended_ : ended);
      look_at_control();
    }
    stat_worst_gap_.store(live_->worst_gap(), std::memory_order_relaxed);
    stat_allowed_.store(live_->allowed(), std::memory_order_relaxed);
    stat_absence_.store(live_->total_absence(), std::memory_order_relaxed);
  }
  return turn;
}

void Link::judge() {
  // As of the last look: a pause of this thread since then is not the peer's silence.
  const uint64_t now = looked_at_;
  if (!live_->gone(now)) return;
  lost(MirrorLossKind::Silent, "nothing was heard from " + control_->peer() + " for " +
                                   std::to_string(live_->silence(now) / kMs) +
                                   " ms (allowed: " + std::to_string(live_->allowed() / kMs) + " ms)");
}

uint64_t Link::next_duty_ns() const { return std::min(next_beat_, live_->due()); }

void Link::sleep(uint64_t until_ns) {
  {
    const std::lock_guard hold(mutex);
    if (!fabric_->may_sleep()) return;
  }
  const uint64_t now = monotonic_ns();
  if (now >= until_ns) return;
  planned_ns_ = until_ns - now;
  pollfd ready[4] = {{kick_.fd(), POLLIN, 0},
                     {control_->fd(), POLLIN, 0},
                     {fabric_->wait_fds()[0], POLLIN, 0},
                     {fabric_->wait_fds()[1], POLLIN, 0}};
  const timespec wait{time_t(planned_ns_ / 1'000'000'000), long(planned_ns_ % 1'000'000'000)};
  ppoll(ready, 4, &wait, nullptr);
  // Once per heartbeat in any case: a sign that was missed must not stay so.
  check_ = ready[1].revents != 0 || ready[3].revents != 0 || monotonic_ns() >= until_ns;
  stat_sleeps_.fetch_add(1, std::memory_order_relaxed);
  if (ready[0].revents != 0) kick_.clear();
}

PeerClock Link::peer_clock() const {
  PeerClock clock;
  const uint64_t trip = best_trip_ns_.load(std::memory_order_acquire);
  clock.valid = trip != ~0ull;
  if (!clock.valid) return clock;
  clock.monotonic_offset_ns = monotonic_offset_.load(std::memory_order_relaxed);
  clock.realtime_offset_ns = realtime_offset_.load(std::memory_order_relaxed);
  clock.uncertainty_ns = trip / 2;
  return clock;
}

void Link::fill(MirrorStats& stats) const {
  const auto get = [](const std::atomic<uint64_t>& word) { return word.load(std::memory_order_relaxed); };
  stats.marks_sent = get(stat_marks_sent_);
  stats.marks_received = get(stat_marks_received_);
  stats.sleeps = get(stat_sleeps_);
  stats.worst_gap_ns = get(stat_worst_gap_);
  stats.allowed_silence_ns = get(stat_allowed_);
  stats.own_absence_ns = get(stat_absence_);
  const uint64_t trip = get(best_trip_ns_);
  stats.round_trip_ns = trip == ~0ull ? 0 : trip;
}

bool Link::make_realtime() {
  // Low among the real-time priorities: above every ordinary thread is all that is needed for heartbeats to be punctual.
  const sched_param low{2};
  return pthread_setschedparam(pthread_self(), SCHED_FIFO, &low) == 0;
}

}  // namespace understudy::host
