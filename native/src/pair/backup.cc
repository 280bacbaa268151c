// See backup.h.
#include "pair/backup.h"

#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#include <cstdlib>

#include "net/classifier.h"
#include "session_parts.h"

namespace understudy::host {
namespace {
constexpr int kDrainMs = 5000;
constexpr int kRecordsMs = 5000;
constexpr useconds_t kLagPollUs = 200;
constexpr int kFirstByteWaits = 100;  // then there is no client that waits for anything
constexpr uint64_t kFirstByteWaitNs = 50'000'000;
constexpr uint64_t kSameClockNs = 1'000'000;
constexpr useconds_t kDivertUs = 100'000;

std::string detail_of(const std::string& stage, const TakeoverResult& result) {
  auto count = [](uint64_t n, const char* what) { return std::to_string(n) + " " + what + (n == 1 ? "" : "s"); };
  if (stage == "probe") return std::to_string(result.answered) + " of " + count(result.asked, "client") + " answered";
  if (stage == "repair") {
    std::string text = count(result.connections, "connection") + ", " + count(result.listeners, "listener");
    if (result.orphans != 0) text += "; " + count(result.orphans, "connection") + " not accepted yet";
    if (result.finishing != 0)
      text += "; " + count(result.finishing, "connection") + " closed by the guest, not by the client";
    if (!result.lost.empty()) text += "; " + std::to_string(result.lost.size()) + " given up";
    return text;
  }
  if (stage == "resume")
    return count(result.resent_bytes, "byte") + " sent again, " + count(result.unread_bytes, "byte") + " not read yet";
  return "";
}
}  // namespace

BackupSession::BackupSession(const BackupOptions& options, EmitEvent emit)
    : emit_(std::move(emit)),
      durable_(options.durable),
      passive_(options.passive),
      lag_bytes_max_(options.lag_bytes_max),
      storage_dirs_(options.storage),
      network_(options.network),
      replica_options_(options.replica),
      ready_(!options.from_checkpoint) {
  if (network_) {
    auto report = [this](abi::MessageLevel level, const std::string& text) { emit_(message(level, text)); };
    // Before there are connections: it may get a backup itself.
    if (const unsigned index = if_nametoindex(network_->interface.c_str())) prepare_interface(int(index));
    table_ = new_table();
    takeover_ = std::make_unique<Takeover>(
        TakeoverConfig{network_->service, network_->vip, network_->prefix, network_->interface}, report);
    vip_ = std::make_unique<Vip>(network_->vip, network_->prefix, network_->interface);
  }
  if (passive_ && (durable_ || !options.from_checkpoint))
    throw HostError(
        "PAIR", EINVAL, "",
        "a passive backup begins with a state, and keeps the journal in memory: outputCommit: durable is not for it");
  if (options.from_checkpoint) {
    prepare_journal_dir(replica_options_.journal_dir);
  } else {
    make_replica(replica_options_);
    begin_guest_messages();
  }
  MirrorReceiver::Hooks mirror_hooks;
  mirror_hooks.on_connected = [this](const MirrorPeer& peer) {
    emit_({{"type", "connected"}, {"peer", peer.address}});
  };
  mirror_hooks.on_record = [this](const MirrorRecord& record) { on_record(record); };
  mirror_hooks.on_lost = [this](const MirrorLoss& loss) {
    if (released_) return;
    lost_at_ns_ = loss.at_ns;
    emit_({{"type", "lost"},
           {"kind", name_of(loss.kind)},
           {"reason", loss.text},
           {"atNs", loss.at_ns},
           {"silentMs", double(loss.silent_ns) / 1e6}});
  };
  mirror_hooks.on_end = [this](uint64_t) {
    std::lock_guard lock(end_mutex_);
    records_over_ = true;
    ended_changed_.notify_all();
  };
  mirror_hooks.on_incident = [this](const std::string& text) { emit_(message(abi::kWarning, text)); };
  receiver_ = std::make_unique<MirrorReceiver>(options.mirror, std::move(mirror_hooks));
  emit_({{"type", "listening"}, {"port", uint32_t(receiver_->port())}});
  if (durable_) syncer_ = start_thread("us-sync", [this] { keep_durable(); });
  finisher_ = start_thread("us-finisher", [this] { finish(); });
}

void BackupSession::make_replica(const ReplicaOptions& options) {
  Replica::Hooks hooks;
  hooks.message = [this](abi::MessageLevel level, const std::string& text) { emit_(message(level, text)); };
  hooks.diverged = [this](Plain::Object event) { fail_replica(std::move(event)); };
  hooks.journal_failed = [this](const PumpFailure& failure) {
    emit_({{"type", "journalError"},
           {"code", errno_name(failure.io.error)},
           {"path", failure.io.path},
           {"text", failure.text + " (" + failure.io.path + ")"}});
    if (!replica_->live()) fail_replica({{"detail", failure.text}, {"seq", replica_->fed_events()}});
  };
  hooks.ended = [this](int status, bool live) {
    const bool lost = keeper_ != nullptr && keeper_->lost_guest();
    if (!replica_over_.exchange(true) && !closing_ && !lost)
      emit_({{"type", "guestEnded"}, {"status", status}, {"live", live}, {"expected", true}});
    finish_soon();
  };
  hooks.killed = [this](bool root, int signal) { return !closing_ && keeper_->on_killed(root, signal); };
  hooks.new_blob = [this](const std::string& path, const Sha256& sha) {
    if (keeper_ != nullptr) keeper_->blob(path, sha);
  };
  hooks.track = [this](uint32_t slot, pid_t pid, UniqueFd userfault) {
    if (keeper_ != nullptr) keeper_->track(slot, pid, std::move(userfault));
  };
  replica_ = std::make_unique<Replica>(options, std::move(hooks));
  pid_ = replica_->pid();
  if (network_) {
    const auto vip = network_->vip.mapped();
    memcpy(replica_->memory().control().pair.vip, vip.data(), vip.size());
  }
  keeper_ = std::make_unique<Keeper>(KeeperOptions{network_, durable_, 0, 0}, replica_->memory(), replica_->enclosure(),
                                     emit_);
  standing_replica_ = replica_.get();
}

void BackupSession::begin_guest_messages() {
  if (table_ == nullptr) return;
  NetRingReader::Hooks hooks;
  hooks.message = [this](const abi::NetMessage& m, const uint8_t* payload) { table_->guest(m, payload); };
  hooks.report = [this](abi::MessageLevel level, const std::string& text) { emit_(message(level, text)); };
  net_reader_ = std::make_unique<NetRingReader>(replica_->memory().net(), std::move(hooks));
}

BackupSession::~BackupSession() {
  close();
  if (finisher_.joinable()) finisher_.join();
}

void BackupSession::fail_replica(Plain::Object why) {
  if (replica_over_.exchange(true)) return;
  std::string reason;
  uint64_t seq = 0;
  for (const auto& [name, value] : why) {
    if (name == "detail") reason = std::get<std::string>(value.value);
    if (name == "seq") seq = uint64_t(std::get<double>(value.value));
  }
  // A replica that is not one must not be acknowledged to.
  if (receiver_ != nullptr) receiver_->stop_acknowledging("the replica is of no use: " + reason);
  emit_({{"type", "diverged"}, {"reason", reason}, {"seq", seq}, {"divergence", std::move(why)}});
}

void BackupSession::on_record(const MirrorRecord& record) {
  switch (PairRecord(record.type)) {
    case PairRecord::Journal: return on_journal(record);
    case PairRecord::Packet: return on_packet(record);
    case PairRecord::Blob: return on_blob(record);
    case PairRecord::Socket: return on_socket(record);
    case PairRecord::Mark: return on_mark(record);
    case PairRecord::State: return on_state(record);
    case PairRecord::Storage: return on_storage(record);
    case PairRecord::Release:
      released_ = true;
      receiver_->stop_acknowledging("the primary has released the service");
      lost_at_ns_ = monotonic_ns();
      emit_({{"type", "release"},
             {"reason", std::string(reinterpret_cast<const char*>(record.data), record.size)},
             {"atNs", lost_at_ns_.load()}});
      return;
  }
  emit_(
      message(abi::kError, "the mirror carries a record of a type that is not known: " + std::to_string(record.type)));
}

void BackupSession::on_journal(const MirrorRecord& record) {
  if (replica_over_ || (!ready_ && keep_for_later(record))) return;
  if (!feed(record.position, record.seq, {record.data, record.size})) return;
  update_applied();
  while (lag_bytes_max_ != 0 && replica_->fed_bytes() - replica_->applied_bytes() > lag_bytes_max_ && !replica_over_)
    usleep(kLagPollUs);
  if (!said_caught_up_.exchange(true)) emit_({{"type", "caughtUp"}});
}

bool BackupSession::feed(uint64_t position, uint64_t seq, std::span<const uint8_t> data) {
  uint64_t count;
  if (data.size() <= sizeof count) return false;
  memcpy(&count, data.data(), sizeof count);
  if (!replica_->feed(seq, count, data.data() + sizeof count, data.size() - sizeof count)) return false;
  bytes_ += data.size() - sizeof count;
  {
    std::lock_guard lock(fed_mutex_);
    fed_.push_back({position, replica_->fed_bytes()});
  }
  if (durable_) note_written(position, seq);
  return true;
}

void BackupSession::note_written(uint64_t position, uint64_t seq) {
  std::lock_guard lock(written_mutex_);
  written_ = position;
  written_seq_ = seq;
  written_changed_.notify_one();
}

// A thread of its own: while the disk is busy with one sync, more records come in, and the next sync is for all of them.
void BackupSession::keep_durable() {
  for (uint64_t synced = 0;;) {
    uint64_t position, seq;
    {
      std::unique_lock lock(written_mutex_);
      written_changed_.wait(lock, [&] { return written_ > synced || no_more_written_; });
      if (no_more_written_) return;
      position = written_;
      seq = written_seq_;
    }
    if (auto error = sync_to_disk(replica_->segment()))
      return fail_replica({{"detail", "cannot sync the journal: " + errno_text(error->error)}, {"seq", seq}});
    receiver_->set_durable(synced = position);
  }
}

void BackupSession::update_applied() {
  const uint64_t applied = replica_->applied_bytes();
  uint64_t position = 0;
  {
    std::lock_guard lock(fed_mutex_);
    while (!fed_.empty() && fed_.front().ring_end <= applied) {
      position = fed_.front().position;
      fed_.pop_front();
    }
  }
  if (position != 0) receiver_->set_applied(position);
}

void BackupSession::on_packet(const MirrorRecord& record) {
  constexpr size_t kHead = 2 * sizeof(uint32_t);
  if (record.size <= kHead || table_ == nullptr) return;
  uint32_t direction;
  memcpy(&direction, record.data, sizeof direction);
  table_->packet(Direction(direction), {record.data + kHead, record.size - kHead});
  if (coming_ && coming_->table != nullptr)
    coming_->table->packet(Direction(direction), {record.data + kHead, record.size - kHead});
  // What the guest has not read yet is bounded by the primary's own receive buffers; output that the client does not acknowledge
  // by its send buffers. More than this is a replica that does not follow.
  while (table_->buffered_bytes() > kTableBytesMax && !replica_over_) {
    // What would take them out is to be made of records that come behind this one.
    if (!ready_ && !restored_)
      return fail_replica(
          {{"detail", "the clients have sent more than fits into memory while the state came"}, {"seq", record.seq}});
    usleep(kLagPollUs);
  }
}

void BackupSession::on_blob(const MirrorRecord& record) {
  Sha256 sha;
  uint64_t size, offset;
  constexpr size_t kHead = sizeof sha + 2 * sizeof size;
  if (record.size < kHead) return;
  memcpy(sha.data(), record.data, sha.size());
  memcpy(&size, record.data + sizeof sha, sizeof size);
  memcpy(&offset, record.data + sizeof sha + sizeof size, sizeof offset);
  const std::string path = replica_options_.journal_dir + "/blobs/" + hex(sha.data(), sha.size());
  const std::string part = path + ".part";
  struct stat st;
  if (stat(path.c_str(), &st) == 0) return;
  UniqueFd file(open(part.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  const size_t n = record.size - kHead;
  int error = file ? 0 : errno;
  if (error == 0 && n > 0 && !pwrite_all(file.get(), record.data + kHead, n, off_t(offset))) error = errno;
  if (error == 0 && offset + n >= size && rename(part.c_str(), path.c_str()) != 0) error = errno;
  if (error != 0) fail_replica({{"detail", "cannot write " + path + ": " + errno_text(error)}, {"seq", record.seq}});
}

void BackupSession::stop_acknowledging(const std::string& why) { receiver_->stop_acknowledging(why); }

void BackupSession::take_over(uint64_t epoch) {
  if (taking_over_.exchange(true)) return;
  takeover_thread_ = start_thread("us-takeover", [this, epoch] {
    try {
      do_take_over(epoch);
    } catch (const std::exception& error) { emit_({{"type", "takeoverFailed"}, {"reason", error.what()}}); }
  });
}

void BackupSession::do_take_over(uint64_t epoch) {
  Plain::List timeline;
  auto stage = [&](const char* name, uint64_t at_ns, const std::string& detail = "") {
    Plain::Object entry{{"stage", name}, {"atNs", at_ns}};
    if (!detail.empty()) entry.emplace_back("detail", detail);
    timeline.emplace_back(std::move(entry));
  };
  receiver_->stop_acknowledging("this host takes over");
  {
    std::unique_lock lock(end_mutex_);
    if (receiver_->connected() || receiver_->received() > 0) {
      if (!ended_changed_.wait_for(lock, std::chrono::milliseconds(kRecordsMs), [&] { return records_over_; }))
        throw HostError("TAKEOVER", ETIMEDOUT, "", "the replica does not take the events that were received");
    }
  }
  if (passive_ && !replica_over_) {
    wake_passive();
    stage("restore", monotonic_ns(),
          std::to_string(replica_->fed_events() - complete_->seq) + " events since its state");
  }
  for (int i = 0; !ready_ && !replica_over_; i++) {
    if (i == kRecordsMs || !restorer_.joinable())
      throw HostError("TAKEOVER", 0, "", "there is no replica: the state that it is made of has not come whole");
    usleep(1000);
  }
  if (replica_over_)
    throw HostError("TAKEOVER", 0, "", "there is no replica: it left the journal, or its guest has ended");
  const std::string trouble = replica_->drain(kDrainMs);
  if (!trouble.empty()) throw HostError("TAKEOVER", 0, "", trouble);
  if (net_reader_ != nullptr) {
    net_reader_->drain();
    // The ring has one reader. What the guest tells from now on is for the flows of its next backup.
    net_reader_.reset();
  }
  stage("drain", monotonic_ns());
  Plain::Object network;
  if (table_ != nullptr) {
    table_->freeze();
    const TakeoverResult result = takeover_->run(*table_, replica_->pids());
    for (const TakeoverResult::Stage& s : result.stages) stage(s.name, s.at_ns, detail_of(s.name, result));
    Plain::List lost;
    for (const TakeoverResult::Loss& loss : result.lost) lost.emplace_back(loss.reason);
    network = {{"connections", result.connections},
               {"asked", result.asked},
               {"answered", result.answered},
               {"orphans", result.orphans},
               {"finishing", result.finishing},
               {"listeners", result.listeners},
               {"unreadBytes", result.unread_bytes},
               {"resentBytes", result.resent_bytes},
               {"lost", std::move(lost)}};
  }
  const PeerClock clock = receiver_->peer_clock();
  // Hosts that share their clock (or nearly do) need no correction, which would only add the uncertainty of its measurement.
  const bool differs = clock.valid &&
                       uint64_t(std::abs(clock.monotonic_offset_ns)) > clock.uncertainty_ns + kSameClockNs;
  if (auto error = replica_->go_live(
          epoch, (differs ? clock.monotonic_offset_ns : 0) + (complete_ ? complete_->guest_clock_ns : 0)))
    throw HostError("JOURNAL_DIR", error->error, error->path,
                    "cannot go on with the journal: " + error->path + ": " + errno_text(error->error));
  keeper_->adopt(replica_->group());
  stage("live", monotonic_ns(), "the guest goes on here");
  emit_({{"type", "live"}, {"timeline", std::move(timeline)}, {"network", std::move(network)}});
  if (takeover_ == nullptr) return;
  for (int i = 0; i < kFirstByteWaits && !closing_ && !replica_over_; i++) {
    const uint64_t at_ns = takeover_->wait_first_byte(kFirstByteWaitNs);
    if (at_ns != 0) return emit_({{"type", "firstByte"}, {"atNs", at_ns}});
  }
}

void BackupSession::close() {
  {
    std::lock_guard lock(finish_mutex_);
    closing_ = true;
  }
  finish_soon();
}

// ---- live -----------------------------------------------------------------------------------------------------------------------------
void BackupSession::attach_backup(const AttachOptions& options) {
  const std::lock_guard lock(standing_mutex_);
  if (standing_replica_ == nullptr || !replica_->live())
    throw HostError("PAIR", EINVAL, "", "only a guest that runs can be given a backup");
  keeper_->attach(options);
}

void BackupSession::protect() {
  const std::lock_guard lock(standing_mutex_);
  if (standing_replica_ != nullptr) keeper_->protect();
}

void BackupSession::go_unprotected() {
  const std::lock_guard lock(standing_mutex_);
  if (standing_replica_ != nullptr) keeper_->go_unprotected();
}

void BackupSession::fence(const std::string& reason, bool release) {
  const std::lock_guard lock(standing_mutex_);
  if (standing_replica_ == nullptr || keeper_->fence(reason, release)) return;
  remove_vip();
  replica_->kill();
}

void BackupSession::remove_vip() {
  if (vip_ == nullptr) return;
  try {
    vip_->remove();
  } catch (const HostError& error) { emit_(message(abi::kError, error.what())); }
}

void BackupSession::kill(int signal) {
  if (signal == SIGKILL) return close();
  const std::lock_guard lock(standing_mutex_);
  if (standing_replica_ != nullptr) replica_->signal_root(signal);
}

Plain::Object BackupSession::stats() {
  const std::lock_guard standing_lock(standing_mutex_);
  const Replica* replica = standing_replica_;
  const bool live = replica != nullptr && replica->live();
  if (replica != nullptr && ready_ && !replica_over_ && !live) update_applied();
  Plain::Object out{{"events", replica != nullptr ? replica->fed_events() : 0},
                    {"appliedEvents", replica != nullptr ? replica->applied_events() : 0},
                    {"bytes", bytes_.load()},
                    {"fedBytes", replica != nullptr ? replica->fed_bytes() : 0},
                    {"appliedBytes", replica != nullptr ? replica->applied_bytes() : 0},
                    {"journalBytes", replica != nullptr ? replica->journal_bytes() : 0},
                    {"received", receiver_ != nullptr ? receiver_->received() : 0},
                    {"live", live}};
  if (live) keeper_->add_stats(out);
  if (live || receiver_ == nullptr) return out;
  if (states_ != 0)
    out.emplace_back("stored", Plain::Object{{"states", states_.load()},
                                             {"stateBytes", state_bytes_.load()},
                                             {"stateAgeMs", double(monotonic_ns() - state_at_ns_) / 1e6},
                                             {"journalBytes", pending_bytes_.load()}});
  const MirrorStats mirror = receiver_->stats();
  out.emplace_back("mirror", Plain::Object{{"connected", mirror.connected},
                                           {"records", mirror.records},
                                           {"writes", mirror.writes},
                                           {"worstGapNs", mirror.worst_gap_ns},
                                           {"realtime", mirror.realtime},
                                           {"incidents", mirror.incidents}});
  if (table_ != nullptr) {
    const TableStats table = table_->stats();
    out.emplace_back("network", Plain::Object{{"connections", table.connections},
                                              {"halfOpen", table.half_open},
                                              {"listeners", table.listeners},
                                              {"bufferedBytes", table.buffered_bytes},
                                              {"strays", table.strays}});
  }
  return out;
}

void BackupSession::finish() {
  wait_finish();
  if (restorer_.joinable()) restorer_.join();
  if (folder_.joinable()) folder_.join();
  const bool live = replica_ != nullptr && replica_->live();
  if (live) keeper_->stop();
  if (!live || (keeper_->covers() && !keeper_->lost_guest())) {
    // The guest's end was in the journal. Until the coordinator knows, the primary is acknowledged to: else it took the end of this
    // replica for the loss of its backup. So it is with a mirror of its own.
    std::unique_lock lock(finish_mutex_);
    finish_changed_.wait(lock, [this] { return closing_.load(); });
  }
  if (takeover_thread_.joinable()) takeover_thread_.join();
  receiver_->stop_acknowledging(live ? "the guest has ended" : "the backup is stopped");
  if (syncer_.joinable()) {
    {
      std::lock_guard lock(written_mutex_);
      no_more_written_ = true;
    }
    written_changed_.notify_one();
    syncer_.join();
  }
  if (replica_ != nullptr) replica_->kill();
  {
    const std::lock_guard lock(standing_mutex_);
    receiver_.reset();
  }
  if (live && keeper_->close(keeper_->lost_guest() ? "the guest was lost" : "the guest has ended")) usleep(kDivertUs);
  if (live) remove_vip();
  net_reader_.reset();
  takeover_.reset();
  const int status = replica_ != nullptr ? replica_->memory().control().exit_status : 0;
  {
    const std::lock_guard lock(standing_mutex_);
    standing_replica_ = nullptr;
  }
  if (keeper_ != nullptr) keeper_->discard();
  replica_.reset();
  keeper_.reset();
  emit_({{"type", "ended"}, {"status", status}, {"live", live}});
}

}  // namespace understudy::host
