// See protection.h.
#include "pair/protection.h"

#include <fcntl.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "net/guest_sockets.h"
#include "session_parts.h"

namespace understudy::host {
namespace {
constexpr uint32_t kFarewellMs = 500;
constexpr uint32_t kLossToldMs = 1000;  // from the mirror's loss until on_lost has been called
constexpr uint64_t kStateAhead = 2 << 20;
constexpr useconds_t kStatePauseUs = 100;
constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kBehindNs = 100 * kMs;
// Most backups have caught up by then.
constexpr uint64_t kUnpacedNs = 1000 * kMs;
constexpr uint64_t kPacedNs = 10'000 * kMs, kPacedShrinkNs = 2000 * kMs, kPacedStepNs = 15 * kMs;
constexpr uint64_t kPacedBytes = 256 << 10;
constexpr useconds_t kPublishedUs = 20'000;  // far longer than a store stays in a processor's buffer
}  // namespace

Protection::Protection(const ProtectionOptions& options, MemoryFile& memory, const Enclosure& enclosure, EmitEvent emit,
                       bool waits)
    : memory_(memory),
      enclosure_(enclosure),
      emit_(std::move(emit)),
      gate_config_(options.gate),
      durable_(options.durable),
      passive_(options.passive),
      rpo_ns_(options.rpo_ms * 1000000),
      rpo_bytes_(options.rpo_bytes),
      protected_at_(waits ? 0 : ~0ull),
      waits_(waits) {
  make_sender(options.mirror, options.gate ? uint64_t(options.gate->lease_ms) * 1000000 : 0);
  if (options.gate && waits) make_gate(*options.gate);
}

// The mirror's thread uses gate and flows, the gate's thread mirror and flows: threads end before anything of what they use.
Protection::~Protection() {
  sender_->halt();
  gate_.reset();
}

void Protection::make_sender(const MirrorConfig& config, uint64_t lease_ns) {
  MirrorSender::Hooks hooks;
  hooks.on_connected = [this](const MirrorPeer& peer) {
    emit_({{"type", "mirror"}, {"state", "connected"}, {"peer", peer.address}});
  };
  hooks.on_watermarks = [this](const Watermarks& marks) { on_watermarks(marks); };
  hooks.on_answered = [this, lease_ns](uint64_t sent_ns) {
    Gate* gate = standing_gate_;
    // Not before there is somebody who would take over: until then it is kept for ever (make_gate).
    if (gate != nullptr && waits_ && !opened_ && !fenced_) gate->extend_lease_until(sent_ns + lease_ns);
  };
  hooks.on_lost = [this](const MirrorLoss& loss) {
    bool is_of_no_use;
    {
      const std::lock_guard lock(lost_mutex_);
      lost_by_ = loss.text.empty() ? name_of(loss.kind) : loss.text;
      lost_changed_.notify_all();
      if (!waits_ && !gate_begun_) return;
      is_of_no_use = !waits_;
    }
    if (is_of_no_use) return let_packets_go();
    emit_({{"type", "mirror"},
           {"state", "lost"},
           {"kind", name_of(loss.kind)},
           {"reason", loss.text},
           {"atNs", loss.at_ns},
           {"silentMs", double(loss.silent_ns) / 1e6}});
  };
  sender_ = std::make_unique<MirrorSender>(config, std::move(hooks));
  standing_mirror_ = sender_.get();
}

void Protection::make_gate(const GateConfig& config) {
  Gate::clean_leftovers(config.service);
  memcpy(memory_.control().pair.vip, config.vip.mapped().data(), sizeof memory_.control().pair.vip);
  watch_ = std::make_unique<GuestWatch>(memory_.control(), [this](pid_t pid) { return enclosure_.host_pid(pid); });
  watch_->deaths_are_recorded(!waits_);
  GateHooks hooks;
  hooks.mirror_packet = [this](Direction direction, std::span<const uint8_t> packet) {
    return mirror_packet(direction, packet);
  };
  hooks.flush = [this] {
    if (MirrorSender* mirror = standing_mirror_) mirror->flush();
  };
  hooks.passed = [this](Direction direction, const TcpPacket& packet, uint64_t position) {
    if (Flows* flows = standing_flows_) flows->packet(direction, packet, position);
  };
  hooks.tick = [this] {
    if (Flows* flows = standing_flows_) flows->tick();
  };
  hooks.fin_allowed = [this](const TcpPacket&) { return watch_->end_is_meant(); };
  hooks.report = [this](abi::MessageLevel level, const std::string& text) { emit_(message(level, text)); };
  gate_ = std::make_unique<Gate>(config, std::move(hooks));
  standing_gate_ = gate_.get();  // from the first rule on, packets wait for what on_watermarks releases
  gate_->install();
  gate_->keep_lease(!waits_);
  begin_flows(config);
}

// Without them every packet waits for the backup in the gate's queue: slower, and as safe.
void Protection::begin_flows(const GateConfig& config) {
  if (!config.flows || !gate_->has_lifeline()) return;
  Flows::Hooks hooks;
  hooks.mirror_packet = [this](std::span<const uint8_t> packet) { return mirror_packet(Direction::kIn, packet); };
  hooks.want_tick = [this] {
    if (Gate* gate = standing_gate_) gate->wake();
  };
  hooks.report = [this](abi::MessageLevel level, const std::string& text) { emit_(message(level, text)); };
  try {
    flows_ = std::make_unique<Flows>(config, memory_.net(), std::move(hooks), passive_);
  } catch (const HostError& error) {
    emit_(message(abi::kWarning, std::string("each packet waits for the backup: ") + error.what()));
    return;
  }
  standing_flows_ = flows_.get();
  store_release(memory_.control().pair.flows, 1u);
}

uint64_t Protection::mirror_packet(Direction direction, std::span<const uint8_t> packet) {
  if (opened_) return 1;
  const uint32_t head[2] = {uint32_t(direction), 0};
  const iovec parts[2] = {{const_cast<uint32_t*>(head), sizeof head},
                          {const_cast<uint8_t*>(packet.data()), packet.size()}};
  return standing_mirror_.load()->append(uint32_t(PairRecord::Packet), 0, parts, 2, false);
}

void Protection::tap(uint64_t first_seq, uint64_t count, const uint8_t* events, size_t len, uint64_t end) {
  if (opened_) return;
  const iovec parts[2] = {{&count, sizeof count}, {const_cast<uint8_t*>(events), len}};
  const uint64_t position = sender_->append(uint32_t(PairRecord::Journal), first_seq, parts, 2, false);
  if (position == 0) return;  // lost: nothing that depends on these events will be let out
  {
    std::lock_guard lock(sent_mutex_);
    const Sent entry{position, end, first_seq + count - 1, monotonic_ns()};
    sent_.push_back(entry);
    unapplied_.push_back(entry);
    journal_position_ = position;
    if (rpo_bytes_ != 0) relax_locked(end);
  }
  if (Flows* flows = standing_flows_) flows->sent(position, end);
  // Only now, so that the answer finds the entry. Another thread's flush may have been faster, and the answer too.
  sender_->flush();
  const Watermarks marks = sender_->watermarks();
  if ((durable_ ? marks.durable : marks.received) >= position) on_watermarks(marks);
}

void Protection::blob(const std::string& path, const Sha256& sha) {
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const off_t size = file ? lseek(file.get(), 0, SEEK_END) : -1;
  if (size < 0) return emit_(message(abi::kError, "cannot read " + path + " for the backup: " + errno_text(errno)));
  std::vector<uint8_t> piece(kBlobPiece);
  uint64_t offset = 0;
  do {
    const ssize_t n = pread(file.get(), piece.data(), piece.size(), off_t(offset));
    if (n < 0 || (n == 0 && offset < uint64_t(size)))
      return emit_(message(abi::kError, "cannot read " + path + " for the backup: " + errno_text(n < 0 ? errno : EIO)));
    const uint64_t place[2] = {uint64_t(size), offset};
    const iovec parts[3] = {{const_cast<uint8_t*>(sha.data()), sha.size()},
                            {const_cast<uint64_t*>(place), sizeof place},
                            {piece.data(), size_t(n)}};
    if (sender_->append(uint32_t(PairRecord::Blob), 0, parts, 3, false) == 0) return;
    offset += uint64_t(n);
  } while (offset < uint64_t(size));
}

// Never back: ~0 stays, and with an RPO it may be ahead of what is held.
void Protection::raise_held(uint64_t to) {
  abi::Pair& pair = memory_.control().pair;
  uint64_t now = load_acquire(pair.held);
  while (now < to && !__atomic_compare_exchange_n(&pair.held, &now, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {}
  if (__atomic_load_n(&pair.sleepers, __ATOMIC_SEQ_CST) != 0) futex_bump(&pair.held_wake);
}

// RPO > 0: what is on its way counts as held as long as it is little and young.
void Protection::relax_locked(uint64_t end) {
  const Sent& oldest = sent_.front();
  if (!waits_ || fenced_ || sender_->lost() || end - held_ > rpo_bytes_ || monotonic_ns() - oldest.at_ns > rpo_ns_)
    return;
  raise_held(end);
}

void Protection::on_watermarks(const Watermarks& marks) {
  const uint64_t committed = durable_ ? marks.durable : marks.received;
  uint64_t held = 0;
  {
    std::lock_guard lock(sent_mutex_);
    while (!sent_.empty() && sent_.front().position <= committed) {
      held = sent_.front().ring_end;
      sent_.pop_front();
    }
    while (!unapplied_.empty() && unapplied_.front().position <= marks.applied) {
      applied_end_ = unapplied_.front().ring_end;
      unapplied_.pop_front();
    }
    if (mark_position_ != 0) say_synchronised_locked(marks.applied);
  }
  if (opened_ || fenced_) return;
  // Before the guest goes on: its answer takes along what may be acknowledged now.
  if (Flows* flows = standing_flows_) flows->advance(marks.received);
  if (held != 0) {
    uint64_t before = held_;
    while (before < held && !held_.compare_exchange_weak(before, held)) {}
    // Otherwise protect() looks at held_ after it has said that they wait.
    if (waits_) raise_held(held);
  }
  // Packets are not what is on disk: a connection does not outlive both hosts.
  if (Gate* gate = standing_gate_) gate->release(marks.received);
  if (said_protected_ || !waits_) return;
  const std::lock_guard lock(sent_mutex_);
  say_protected_locked();
}

void Protection::say_protected_locked() {
  if (said_protected_ || !waits_ || opened_ || held_ == 0 || held_ < protected_at_) return;
  said_protected_ = true;
  emit_({{"type", "protected"}});
}

// ---- of a group that runs -------------------------------------------------------------------------------------------------------
std::optional<std::string> Protection::wait_connected(uint32_t timeout_ms) {
  if (sender_->wait_connected(timeout_ms)) return std::nullopt;
  const std::string lost = wait_lost(sender_->lost() ? kLossToldMs : 0);
  return lost.empty() ? "it does not answer within " + std::to_string(timeout_ms) + " ms" : lost;
}

std::string Protection::wait_lost(uint32_t timeout_ms) {
  std::unique_lock lock(lost_mutex_);
  lost_changed_.wait_for(lock, std::chrono::milliseconds(timeout_ms), [this] { return !lost_by_.empty(); });
  return lost_by_;
}

void Protection::begin_gate() {
  if (!gate_config_) return;
  raise_descriptor_limit();
  make_gate(*gate_config_);
  {
    const std::lock_guard lock(lost_mutex_);
    gate_begun_ = true;
    if (lost_by_.empty()) return;
  }
  let_packets_go();
}

// Whoever attaches the new backup may be copying pages for seconds to come; clients would wait for that, and say everything again.
void Protection::let_packets_go() {
  const std::lock_guard lock(fence_mutex_);
  if (fenced_ || opened_) return;
  if (Flows* flows = standing_flows_) flows->open();
  gate_->open();
}

bool Protection::mark(const std::vector<pid_t>& pids, uint64_t seq, uint64_t ring_offset, bool may_refuse) {
  if (gate_ == nullptr) {
    record_mark({}, seq, ring_offset);
    return true;
  }
  const auto none_passes = gate_->hold();
  const ConnectionSnapshot snapshot = take_snapshot(pids, {.vip = gate_config_->vip, .gated = {}, .in_flight = {}});
  const auto waits = [](const SocketState& s) { return s.kind == SocketState::kWaiting; };
  if (may_refuse && std::any_of(snapshot.sockets.begin(), snapshot.sockets.end(), waits)) return false;
  for (const std::string& why : snapshot.failed)
    emit_(message(abi::kWarning, "a socket that the new backup will not know: " + why));
  if (snapshot.missed != 0)
    emit_(message(abi::kError,
                  std::to_string(snapshot.missed) +
                      " of the guest's descriptors could not be looked at; the new backup will not know them"));
  const uint64_t position = record_mark(snapshot.sockets, seq, ring_offset);
  Flows* flows = standing_flows_;
  if (flows != nullptr && !adopted_) flows->adopt(snapshot.sockets, position, ring_offset);
  adopted_ = true;
  return true;
}

uint64_t Protection::record_mark(const std::vector<SocketState>& sockets, uint64_t seq, uint64_t ring_offset) {
  for (const SocketState& socket : sockets) {
    std::vector<uint8_t> record = encode_socket(socket);
    const iovec part{record.data(), record.size()};
    sender_->append(uint32_t(PairRecord::Socket), 0, &part, 1, false);
  }
  uint64_t told[2] = {sockets.size(), uint64_t(memory_.control().pair.clock_offset_ns[1])};
  const iovec part{told, sizeof told};
  const uint64_t position = sender_->append(uint32_t(PairRecord::Mark), seq, &part, 1, true);
  const std::lock_guard lock(sent_mutex_);
  if (mark_position_ == 0) {
    mark_position_ = position;
    applied_end_ = ring_offset;
  }
  journal_position_ = position;
  // What the group did before is not missing at the new backup.
  sent_.push_back({position, ring_offset, seq, monotonic_ns()});
  return position;
}

bool Protection::send_state(const std::string& path, uint64_t seq,
                            const std::function<void(uint64_t, uint64_t)>& progress) {
  UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const off_t end = file ? lseek(file.get(), 0, SEEK_END) : -1;
  if (end < 0)
    throw HostError("CHECKPOINT_READ", errno, path, "cannot read " + path + " for the backup: " + errno_text(errno));
  const uint64_t size = uint64_t(end);
  std::vector<uint8_t> piece(kStatePiece);
  for (uint64_t offset = 0; offset < size;) {
    const uint64_t want = std::min<uint64_t>(piece.size(), size - offset);
    const bool last = offset + want == size;
    const off_t data = last ? off_t(offset) : lseek(file.get(), off_t(offset), SEEK_DATA);
    if (!last && (data < 0 || uint64_t(data) >= offset + want)) {  // a hole
      offset = data < 0 ? (size - 1) / kStatePiece * kStatePiece : uint64_t(data) / kStatePiece * kStatePiece;
      continue;
    }
    if (pread(file.get(), piece.data(), want, off_t(offset)) != ssize_t(want))
      throw HostError("CHECKPOINT_READ", EIO, path, "cannot read " + path + " for the backup");
    const uint64_t place[2] = {size, offset};
    const iovec parts[2] = {{const_cast<uint64_t*>(place), sizeof place}, {piece.data(), want}};
    if (!append_bulk(PairRecord::State, seq, parts, 2)) return false;
    offset += want;
    if (progress) progress(offset, size);
  }
  return true;
}

bool Protection::storage(const std::string& record) {
  if (opened_) return false;
  const iovec part{const_cast<char*>(record.data()), record.size()};
  return append_bulk(PairRecord::Storage, 0, &part, 1);
}

// Packets and journal share the mirror with what is sent in bulk, and clients wait for the packets: so there is little of it on its way.
// But where a busy backup is behind with the others for long, it gets a third of what is: else they would keep it out for ever.
bool Protection::append_bulk(PairRecord type, uint64_t seq, const iovec* parts, int count) {
  const uint64_t position = sender_->append(uint32_t(type), seq, parts, count, true);
  if (position == 0) return false;
  uint64_t bytes = 0;
  for (int i = 0; i < count; i++) bytes += parts[i].iov_len;
  bulk_.push_back({position, bytes});
  bulk_bytes_ += bytes;
  for (;; usleep(kStatePauseUs)) {
    const uint64_t consumed = sender_->consumed(), all = sender_->appended() - consumed;
    for (; !bulk_.empty() && bulk_.front().position <= consumed; bulk_.pop_front()) bulk_bytes_ -= bulk_.front().bytes;
    if (bulk_bytes_ <= std::max(kStateAhead, all / 3) || sender_->lost()) return true;
  }
}

void Protection::say_synchronised_locked(uint64_t applied) {
  if (said_synchronised_ || opened_ || applied < mark_position_) return;
  // It has the state. Now what came while it was restoring that.
  if (synchronised_at_ == 0) synchronised_at_ = journal_position_;
  if (applied < synchronised_at_ || is_behind_locked()) return;
  said_synchronised_ = true;
  emit_({{"type", "synchronised"}});
}

bool Protection::is_behind_locked() const {
  return !unapplied_.empty() && monotonic_ns() - unapplied_.front().at_ns > kBehindNs;
}

void Protection::pace() {
  const std::lock_guard lock(fence_mutex_);
  if (opened_ || fenced_ || waits_) return;
  const uint64_t now = monotonic_ns(), head = load_acquire(memory_.control().ring.head);
  uint64_t applied;
  {
    const std::lock_guard sent_lock(sent_mutex_);
    if (synchronised_at_ == 0 || (said_synchronised_ && !pace_.on)) return;
    applied = applied_end_;
  }
  if (pace_.restored_ns == 0) pace_.restored_ns = now;
  const uint64_t since = now - pace_.restored_ns;
  if (since < kUnpacedNs) return;
  if (since > kUnpacedNs + kPacedNs) {
    if (!std::exchange(pace_.on, false)) return;
    raise_held(~0ull);
    return emit_(
        message(abi::kWarning,
                "the new backup still does not keep up; the service goes on at its own pace, without protection"));
  }
  if (!std::exchange(pace_.on, true)) {
    pace_.lag = head - applied;
    pace_.floor = head;
    pace_.floor_ns = now;
    char text[160];
    snprintf(text, sizeof text,
             "the new backup does not keep up (%.1f MB behind): outputs go at its pace until it has caught up",
             double(pace_.lag) / 1e6);
    emit_(message(abi::kInfo, text));
    __atomic_store_n(&memory_.control().pair.held, head, __ATOMIC_SEQ_CST);
  }
  const uint64_t shrunk = std::min(since - kUnpacedNs, kPacedShrinkNs);
  const uint64_t window = uint64_t(double(pace_.lag) * (1 - double(shrunk) / kPacedShrinkNs)) + kPacedBytes;
  raise_held(applied + window);
  if (now - pace_.floor_ns < kPacedStepNs) return;
  raise_held(pace_.floor);
  pace_.floor = head;
  pace_.floor_ns = now;
}

void Protection::protect() {
  const std::lock_guard lock(fence_mutex_);
  {
    const std::lock_guard lost_lock(lost_mutex_);
    if (opened_ || fenced_ || waits_ || !lost_by_.empty()) return;
    waits_ = true;
  }
  abi::Control& control = memory_.control();
  if (watch_ != nullptr) watch_->deaths_are_recorded(false);
  if (gate_ != nullptr) gate_->keep_lease(false);
  __atomic_store_n(&control.pair.held, held_.load(), __ATOMIC_SEQ_CST);
  raise_held(held_);  // it may have risen between the two
  // An agent publishes its events, looks at `held`, and lets its output out: with no fence between, since it does so for each output. So its
  // processor may still have the events to itself when it has seen the old value; this makes all processors tell what they have.
  if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) != 0) usleep(kPublishedUs);
  const std::lock_guard sent_lock(sent_mutex_);
  protected_at_ = __atomic_load_n(&control.ring.head, __ATOMIC_SEQ_CST);
  say_protected_locked();
}

void Protection::go_unprotected() {
  std::lock_guard lock(fence_mutex_);
  if (fenced_) {
    if (!released_) return;
    if (Flows* flows = standing_flows_) flows->reopen();
    if (gate_ != nullptr) gate_->take_back();
    fenced_ = false;
  }
  opened_ = true;
  store_release(memory_.control().pair.flows, 0u);
  if (Flows* flows = standing_flows_) flows->open();
  raise_held(~0ull);
  if (watch_ != nullptr) watch_->deaths_are_recorded(true);
  if (gate_ != nullptr) {
    gate_->keep_lease(true);
    gate_->open();
  }
}

void Protection::fence(const std::string& reason, bool release) {
  std::lock_guard lock(fence_mutex_);
  const bool first = !fenced_.exchange(true);
  if (first) {
    // The kernel first: what the guest's death would send is stopped there.
    if (Flows* flows = standing_flows_) flows->close();
    if (gate_ != nullptr) {
      gate_->drop_lease();
      // The address stays for the moment, though nothing leaves from it: only what is addressed to this host can be sent on.
      gate_->divert();
    }
  }
  released_ = release;
  if (release && !opened_) {
    const iovec part{const_cast<char*>(reason.data()), reason.size()};
    sender_->append(uint32_t(PairRecord::Release), 0, &part, 1, true);
  }
}

void add_protection_stats(Plain::Object& out, Protection* protection, abi::Control& control) {
  if (protection != nullptr) return protection->add_stats(out);
  const uint64_t appended = load_acquire(control.ring.head);
  out.insert(out.end(), {{"lagEvents", 0u},
                         {"lagMs", 0.0},
                         {"rpoMs", 0.0},
                         {"rpoBytes", 0.0},
                         {"appendedBytes", appended},
                         {"heldBytes", appended}});
}

void Protection::add_stats(Plain::Object& out) {
  abi::Control& control = memory_.control();
  const uint64_t appended = load_acquire(control.ring.head);
  const uint64_t held = opened_ ? appended : held_.load();
  uint64_t lag_events = 0, lag_ns = 0, rpo_ns = 0;
  {
    std::lock_guard lock(sent_mutex_);
    const uint64_t now = monotonic_ns();
    if (!unapplied_.empty()) {
      lag_events = unapplied_.back().seq - unapplied_.front().seq + 1;
      lag_ns = now - unapplied_.front().at_ns;
    }
    if (!sent_.empty()) rpo_ns = now - sent_.front().at_ns;
  }
  const bool relaxed = rpo_bytes_ != 0 && !opened_;
  out.insert(out.end(), {{"lagEvents", lag_events},
                         {"lagMs", double(lag_ns) / 1e6},
                         {"rpoMs", rpo_bytes_ == 0 ? 0.0 : double(rpo_ns) / 1e6},
                         {"rpoBytes", relaxed ? double(load_acquire(control.pair.held) - held) : 0.0},
                         {"appendedBytes", appended},
                         {"heldBytes", held}});
  {
    const Watermarks marks = sender_->watermarks();
    const MirrorStats mirror = sender_->stats();
    out.emplace_back("mirror", Plain::Object{{"connected", mirror.connected},
                                             {"appended", sender_->appended()},
                                             {"received", marks.received},
                                             {"durable", marks.durable},
                                             {"applied", marks.applied},
                                             {"records", mirror.records},
                                             {"writes", mirror.writes},
                                             {"roundTripNs", mirror.round_trip_ns},
                                             {"worstGapNs", mirror.worst_gap_ns},
                                             {"realtime", mirror.realtime}});
  }
  if (gate_ != nullptr) {
    const GateStats gate = gate_->stats();
    out.emplace_back("gate", Plain::Object{{"packetsIn", gate.packets_in},
                                           {"bytesIn", gate.bytes_in},
                                           {"packetsOut", gate.packets_out},
                                           {"held", gate.held},
                                           {"droppedFins", gate.dropped_fins}});
  }
  if (const Flows* flows = standing_flows_) {
    const Flows::Stats stats = flows->stats();
    out.emplace_back("flows", Plain::Object{{"connections", stats.flows},
                                            {"acknowledgements", stats.acknowledgements},
                                            {"late", stats.late},
                                            {"notes", stats.notes}});
  }
}

void Protection::close(const std::string& reason) { sender_->close(reason, kFarewellMs); }

}  // namespace understudy::host
