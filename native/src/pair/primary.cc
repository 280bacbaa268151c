// See primary.h.
#include "pair/primary.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "session_parts.h"

namespace understudy::host {
namespace {
constexpr uint32_t kFarewellMs = 500;
constexpr useconds_t kDivertUs = 100'000;
}  // namespace

PrimarySession::PrimarySession(const PrimaryOptions& options, EmitEvent emit)
    : emit_(std::move(emit)),
      durable_(options.durable),
      rpo_ns_(options.rpo_ms * 1000000),
      rpo_bytes_(options.rpo_bytes),
      started_ns_(monotonic_ns()),
      memory_(abi::kModeRecord, options.record.agent_path, options.record.ring_bytes),
      blobs_(options.record.journal_dir, options.record.cache_dir),
      sites_(options.record.cache_dir),
      writer_(options.record.journal_dir, options.record.segment_bytes, options.record.epoch) {
  const RecordOptions& record = options.record;
  abi::Control& control = memory_.control();
  control.flags |= abi::kFlagPair;
  control.on_error = abi::kOnErrorStop;
  control.kick_after_ms = record.kick_after_ms;
  if (record.isolation && record.isolation->pid) control.flags |= abi::kFlagPidNamespace;
  std::string shared;
  for (const std::string& path : options.shared_paths) shared += path + "\n";
  copy_path(control.shared_paths, shared);
  if (!options.mirror) {
    unprotected_ = true;
    control.pair.held = ~0ull;
  }
  prepare_journal_dir(record.journal_dir);
  if (auto error = writer_.open_first())
    throw HostError("JOURNAL_DIR", error->error, error->path,
                    "cannot create " + error->path + ": " + errno_text(error->error));

  auto report = [this](abi::MessageLevel level, const std::string& text) { emit_(message(level, text)); };
  launcher_ = std::make_unique<Launcher>(memory_, enclosure_, report);
  if (options.mirror) {
    MirrorSender::Hooks hooks;
    hooks.on_connected = [this](const MirrorPeer& peer) {
      emit_({{"type", "mirror"}, {"state", "connected"}, {"peer", peer.address}});
    };
    hooks.on_watermarks = [this](const Watermarks& marks) { on_watermarks(marks); };
    const uint64_t lease_ns = options.network ? uint64_t(options.network->gate.lease_ms) * 1000000 : 0;
    hooks.on_answered = [this, lease_ns](uint64_t sent_ns) {
      Gate* gate = standing_gate_;
      if (gate != nullptr && !unprotected_ && !fenced_) gate->extend_lease_until(sent_ns + lease_ns);
    };
    hooks.on_lost = [this](const MirrorLoss& loss) {
      emit_({{"type", "mirror"},
             {"state", "lost"},
             {"kind", name_of(loss.kind)},
             {"reason", loss.text},
             {"atNs", loss.at_ns},
             {"silentMs", double(loss.silent_ns) / 1e6}});
    };
    sender_ = std::make_unique<MirrorSender>(*options.mirror, std::move(hooks));
    standing_mirror_ = sender_.get();
  }
  if (options.network) {
    const GateConfig& config = options.network->gate;
    Gate::clean_leftovers(config.service);
    memcpy(control.pair.vip, config.vip.mapped().data(), sizeof control.pair.vip);
    watch_ = std::make_unique<GuestWatch>(control, [this](pid_t pid) { return enclosure_.host_pid(pid); });
    watch_->deaths_are_recorded(unprotected_);
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
    hooks.report = report;
    gate_ = std::make_unique<Gate>(config, std::move(hooks));
    standing_gate_ = gate_.get();
    if (unprotected_) gate_->release(~0ull);
    else begin_flows(config);
    gate_->keep_lease(unprotected_);
    vip_ = std::make_unique<Vip>(config.vip, config.prefix, config.interface);
    vip_->add();
    vip_->announce();
  }
  Pump::Tap tap;
  if (sender_ != nullptr)
    tap = [this](uint64_t first_seq, uint64_t count, const uint8_t* events, size_t len, uint64_t end) {
      this->tap(first_seq, count, events, len, end);
    };
  pump_ = std::make_unique<Pump>(
      memory_, writer_,
      [this](const PumpFailure& failure) {
        emit_({{"type", "journalError"},
               {"code", errno_name(failure.io.error)},
               {"path", failure.io.path},
               {"text", failure.text + " (" + failure.io.path + ")"}});
        warden_->kill_group();
      },
      std::move(tap));
  Warden::Hooks hooks;
  hooks.drain = [this](uint64_t* events) {
    pump_->drain();
    *events = pump_->events();
    return !pump_->failed();
  };
  hooks.outcome = [this](abi::Outcome outcome) {
    if (outcome == abi::kAgentFault) on_fault();
  };
  hooks.group_ended = [this] { finish_soon(); };
  hooks.report = report;
  hooks.killed = [this](bool root, int signal) { return on_killed(root, signal); };
  warden_ = std::make_unique<Warden>(memory_, *launcher_, enclosure_, std::move(hooks));
  Service::Hooks service_hooks;
  service_hooks.message = report;
  service_hooks.journal_failed = [this](int error, const std::string& path) {
    pump_->fail({false, {error, path}, "cannot write the journal: " + errno_text(error)});
  };
  if (sender_ != nullptr)
    service_hooks.new_blob = [this](const std::string& path, const Sha256& sha) { mirror_blob(path, sha); };
  service_ = std::make_unique<Service>(memory_, blobs_, sites_, *warden_, launcher_.get(), enclosure_,
                                       std::move(service_hooks));
  guard_ = guard_for(record.isolation, &control);

  UniqueFd output(open(options.output_path.empty() ? "/dev/null" : options.output_path.c_str(),
                       O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  if (!output)
    throw HostError("LAUNCH", errno, options.output_path,
                    "cannot write the guest's output to " + options.output_path + ": " + errno_text(errno));
  SpawnOptions spawn;
  if (record.isolation) spawn.user = record.isolation->user;
  spawn.argv = record.argv;
  spawn.env = record.env;
  spawn.cwd = record.cwd;
  spawn.memory_fd = memory_.fd();
  spawn.guest_fd = control.guest_fd;
  spawn.traced = true;
  spawn.own_session = true;
  spawn.output_fd = output.get();
  pid_ = launcher_->start(spawn, record.isolation);
  emit_({{"type", "started"}, {"pid", int(pid_)}});
  warden_->watch_root(pid_);
  finisher_ = start_thread("us-finisher", [this] { finish(); });
}

PrimarySession::~PrimarySession() {
  if (!finisher_.joinable()) return;
  PrimarySession::kill(SIGKILL);
  finisher_.join();
}

// Without them every packet waits for the backup in the gate's queue: slower, and as safe.
void PrimarySession::begin_flows(const GateConfig& config) {
  if (!gate_->has_lifeline()) return;
  Flows::Hooks hooks;
  hooks.mirror_packet = [this](std::span<const uint8_t> packet) { return mirror_packet(Direction::kIn, packet); };
  hooks.want_tick = [this] { gate_->wake(); };
  hooks.report = [this](abi::MessageLevel level, const std::string& text) { emit_(message(level, text)); };
  try {
    flows_ = std::make_unique<Flows>(config, memory_.net(), std::move(hooks));
  } catch (const HostError& error) {
    emit_(message(abi::kWarning, std::string("each packet waits for the backup: ") + error.what()));
    return;
  }
  standing_flows_ = flows_.get();
  store_release(memory_.control().pair.flows, 1u);
}

uint64_t PrimarySession::mirror_packet(Direction direction, std::span<const uint8_t> packet) {
  if (unprotected_) return 1;
  const uint32_t head[2] = {uint32_t(direction), 0};
  const iovec parts[2] = {{const_cast<uint32_t*>(head), sizeof head},
                          {const_cast<uint8_t*>(packet.data()), packet.size()}};
  return standing_mirror_.load()->append(uint32_t(PairRecord::Packet), 0, parts, 2, false);
}

void PrimarySession::tap(uint64_t first_seq, uint64_t count, const uint8_t* events, size_t len, uint64_t end) {
  if (unprotected_) return;
  const iovec parts[2] = {{&count, sizeof count}, {const_cast<uint8_t*>(events), len}};
  const uint64_t position = sender_->append(uint32_t(PairRecord::Journal), first_seq, parts, 2, false);
  if (position == 0) return;  // lost: nothing that depends on these events will be let out
  {
    std::lock_guard lock(sent_mutex_);
    const Sent entry{position, end, first_seq + count - 1, monotonic_ns()};
    sent_.push_back(entry);
    unapplied_.push_back(entry);
    if (rpo_bytes_ != 0) relax_locked(end);
  }
  if (Flows* flows = standing_flows_) flows->sent(position, end);
  // Only now, so that the answer finds the entry. Another thread's flush may have been faster, and the answer too.
  sender_->flush();
  const Watermarks marks = sender_->watermarks();
  if ((durable_ ? marks.durable : marks.received) >= position) on_watermarks(marks);
}

void PrimarySession::mirror_blob(const std::string& path, const Sha256& sha) {
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
void PrimarySession::raise_held(uint64_t to) {
  abi::Pair& pair = memory_.control().pair;
  uint64_t now = load_acquire(pair.held);
  while (now < to && !__atomic_compare_exchange_n(&pair.held, &now, to, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {}
  if (__atomic_load_n(&pair.sleepers, __ATOMIC_SEQ_CST) != 0) futex_bump(&pair.held_wake);
}

// RPO > 0: what is on its way counts as held as long as it is little and young.
void PrimarySession::relax_locked(uint64_t end) {
  const Sent& oldest = sent_.front();
  if (fenced_ || sender_->lost() || end - held_ > rpo_bytes_ || monotonic_ns() - oldest.at_ns > rpo_ns_) return;
  raise_held(end);
}

void PrimarySession::on_watermarks(const Watermarks& marks) {
  const uint64_t committed = durable_ ? marks.durable : marks.received;
  uint64_t held = 0;
  {
    std::lock_guard lock(sent_mutex_);
    while (!sent_.empty() && sent_.front().position <= committed) {
      held = sent_.front().ring_end;
      sent_.pop_front();
    }
    while (!unapplied_.empty() && unapplied_.front().position <= marks.applied) unapplied_.pop_front();
  }
  if (unprotected_ || fenced_) return;
  // Before the guest goes on: its answer takes along what may be acknowledged now.
  if (Flows* flows = standing_flows_) flows->advance(marks.received);
  if (held != 0) {
    uint64_t before = held_;
    while (before < held && !held_.compare_exchange_weak(before, held)) {}
    raise_held(held);
  }
  // Packets are not what is on disk: a connection does not outlive both hosts.
  if (Gate* gate = standing_gate_) gate->release(marks.received);
  if (held != 0 && !said_protected_.exchange(true)) emit_({{"type", "protected"}});
}

void PrimarySession::go_unprotected() {
  std::lock_guard lock(fence_mutex_);
  if (fenced_) return;
  unprotected_ = true;
  store_release(memory_.control().pair.flows, 0u);
  if (Flows* flows = standing_flows_) flows->open();
  raise_held(~0ull);
  if (watch_ != nullptr) watch_->deaths_are_recorded(true);
  if (gate_ != nullptr) {
    gate_->keep_lease(true);
    gate_->release(~0ull);
  }
}

void PrimarySession::fence(const std::string& reason, bool release) {
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
  if (release && sender_ != nullptr && !unprotected_) {
    const iovec part{const_cast<char*>(reason.data()), reason.size()};
    sender_->append(uint32_t(PairRecord::Release), 0, &part, 1, true);
  }
}

bool PrimarySession::on_killed(bool root, int signal) {
  if (!root || killed_ || unprotected_) return false;
  lost_guest_ = true;
  const uint64_t at = monotonic_ns();
  // Everything that the guest had appended goes to the backup before it is told to go on.
  pump_->drain();
  const std::string reason = "the guest was killed by signal " + std::to_string(signal);
  fence(reason, false);
  // Said before the backup is told: its answer is the loss of the mirror, which must not be taken for the loss of the backup.
  emit_({{"type", "guestLost"}, {"signal", signal}, {"atNs", at}});
  fence(reason, true);
  warden_->kill_group();
  return true;
}

void PrimarySession::on_fault() {
  emit_(message(abi::kError, "the agent failed: " + detail_of(memory_.control().divergence)));
  warden_->kill_group();
}

void PrimarySession::kill(int signal) {
  if (signal != SIGKILL) return void(warden_->signal_root(signal));
  {
    std::lock_guard lock(finish_mutex_);
    killed_ = true;
    finish_changed_.notify_all();
  }
  warden_->kill_group();
}

Plain::Object PrimarySession::stats() {
  abi::Control& control = memory_.control();
  const uint64_t appended = load_acquire(control.ring.head);
  const uint64_t held = unprotected_ ? appended : held_.load();
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
  Plain::Object out{
      {"events", pump_->events()},
      {"bytes", pump_->bytes()},
      {"lagEvents", lag_events},
      {"lagMs", double(lag_ns) / 1e6},
      {"rpoMs", rpo_bytes_ == 0 ? 0.0 : double(rpo_ns) / 1e6},
      {"rpoBytes", rpo_bytes_ == 0 || unprotected_ ? 0.0 : double(load_acquire(control.pair.held) - held)},
      {"appendedBytes", appended},
      {"heldBytes", held},
      {"journalBytes", writer_.journal_bytes()},
      {"processes", warden_->processes()},
      {"threads", load_acquire(control.live_threads)},
      {"commits", load_acquire(control.pair.stat_commits)},
      {"commitWaits", load_acquire(control.pair.stat_commit_waits)},
      {"commitWaitNs", load_acquire(control.pair.stat_commit_wait_ns)},
      {"counters", counters(control)}};
  if (sender_ != nullptr) {
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
  return out;
}

void PrimarySession::finish() {
  wait_finish();
  abi::Control& control = memory_.control();
  pump_->finish();
  const auto root = launcher_->reap_root();
  const uint32_t events = uint32_t(pump_->events());
  service_->stop();
  warden_->stop();
  if (!lost_guest_) {
    emit_({{"type", "guestEnded"},
           {"status", root ? root->status : control.exit_status},
           {"killed", killed_.load()},
           {"events", events}});
    // The coordinator is told first; until then the mirror stays, so that its end is not taken for a failure.
    std::unique_lock lock(finish_mutex_);
    finish_changed_.wait(lock, [this] { return killed_.load(); });
  }
  if (sender_ != nullptr) sender_->close(lost_guest_ ? "the guest was lost" : "the guest has ended", kFarewellMs);
  // Until the clients have learnt where the address is now, what they send here is sent on.
  if (fenced_ && gate_ != nullptr) usleep(kDivertUs);
  if (vip_ != nullptr) {
    try {
      vip_->remove();
    } catch (const HostError& error) { emit_(message(abi::kError, error.what())); }
  }
  standing_gate_ = nullptr;
  gate_.reset();
  launcher_->stop();
  enclosure_.close();
  emit_({{"type", "ended"}});
}

}  // namespace understudy::host
