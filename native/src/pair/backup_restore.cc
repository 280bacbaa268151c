// A backup of a group that ran before it had this one: how its replica comes to be. See backup.h.
//
// The mirror brings, in this order: sockets, the mark, then the journal's records among those of the state (records.h). The records' thread
// does not wait for the replica here, since the primary's packets come the same way: what is fed later is kept in memory, as far as there is room.
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint/state_chain.h"
#include "pair/backup.h"
#include "session_parts.h"

namespace understudy::host {
namespace {
constexpr uint64_t kPendingBytesMax = 2ull << 30;
constexpr useconds_t kRoomPollUs = 200;
constexpr int kRestoreMs = 60'000, kCatchUpMs = 60'000;
constexpr uint64_t kStatesBetweenFolds = 8;
}  // namespace

void BackupSession::on_socket(const MirrorRecord& record) {
  try {
    sockets_.push_back(decode_socket({record.data, record.size}));
  } catch (const HostError& error) { fail_replica({{"detail", std::string(error.what())}, {"seq", record.seq}}); }
}

std::unique_ptr<ConnectionTable> BackupSession::new_table() const {
  ConnectionLimits limits;
  // Until there is a replica that says what the guest has read, a busy connection's packets lie here, some behind gaps; the table as a whole
  // has a limit (on_packet).
  if (!ready_) limits = {kTableBytesMax, kTableBytesMax, kTableBytesMax};
  return std::make_unique<ConnectionTable>(
      network_->vip, [this](abi::MessageLevel level, const std::string& text) { emit_(message(level, text)); }, limits);
}

void BackupSession::on_mark(const MirrorRecord& record) {
  uint64_t told[2] = {};
  if (record.size == sizeof told) memcpy(told, record.data, sizeof told);
  const bool first = !coming_ && !complete_;
  if (ready_ || (!first && !passive_) || record.size != sizeof told || told[0] != sockets_.size())
    return fail_replica({{"detail", "the mirror carries a mark that is none"}, {"seq", record.seq}});
  coming_.emplace();
  coming_->seq = record.seq;
  coming_->position = record.position;
  coming_->guest_clock_ns = int64_t(told[1]);
  state_.reset();
  if (table_ != nullptr) {
    // Until this state is complete, the table is the one before's: a replica that is made of that tells of its guest's acts from there on.
    if (!first) coming_->table = new_table();
    (first ? *table_ : *coming_->table).import(sockets_);
  }
  sockets_ = {};
}

void BackupSession::on_storage(const MirrorRecord& record) {
  if (replica_over_) return;
  try {
    if (ready_ || complete_)
      throw HostError("STORAGE", EBADMSG, "", "the mirror carries storage for a replica that works on it already");
    if (storage_ == nullptr)
      storage_ = std::make_unique<storage::TreeTarget>(
          storage_dirs_, [this](const std::string& text) { emit_(message(abi::kWarning, text)); });
    storage_->take({reinterpret_cast<const char*>(record.data), record.size});
  } catch (const HostError& error) { fail_replica({{"detail", std::string(error.what())}, {"seq", record.seq}}); }
}

void BackupSession::on_state(const MirrorRecord& record) {
  uint64_t place[2];
  const uint64_t size = record.size < sizeof place ? 0 : record.size - sizeof place;
  if (size != 0) memcpy(place, record.data, sizeof place);
  if (size == 0 || !coming_ || record.seq != coming_->seq || place[1] + size > place[0] || ready_)
    return fail_replica({{"detail", "the mirror carries a part of a state that is none"}, {"seq", record.seq}});
  const std::string path = checkpoint::state_path(replica_options_.journal_dir, record.seq);
  if (!state_) {
    const std::string dir = checkpoint::checkpoint_dir(replica_options_.journal_dir);
    if (mkdir(dir.c_str(), 0755) != 0 && errno != EEXIST)
      return fail_replica({{"detail", "cannot make " + dir + ": " + errno_text(errno)}, {"seq", record.seq}});
    state_ = UniqueFd(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
    // The guest's user reads it; the journal's directory above is closed to others.
    if (state_ && (fchmod(state_.get(), 0644) != 0 || ftruncate(state_.get(), off_t(place[0])) != 0)) state_.reset();
  }
  if (!state_ || !pwrite_all(state_.get(), record.data + sizeof place, size, off_t(place[1])))
    return fail_replica({{"detail", "cannot write " + path + ": " + errno_text(errno)}, {"seq", record.seq}});
  coming_->bytes = place[0];
  if (place[1] + size == place[0]) on_complete_state();
}

// All that it needs is here.
void BackupSession::on_complete_state() {
  state_.reset();
  complete_.emplace(std::move(*coming_));
  coming_.reset();
  if (!passive_) {
    restorer_ = start_thread("us-restore", [this] { restore(); });
    return;
  }
  if (complete_->table != nullptr) {
    const std::lock_guard lock(standing_mutex_);
    table_ = std::move(complete_->table);
  }
  uint64_t applied = complete_->position;
  {
    const std::lock_guard lock(pending_mutex_);
    while (!pending_.empty() && pending_.front().position < complete_->position) {
      pending_bytes_ -= pending_.front().bytes.size();
      pending_.pop_front();
    }
    // What came beside the state, too: a guest that does nothing more would send nothing that says so.
    if (!pending_.empty()) applied = pending_.back().position;
  }
  state_bytes_ = complete_->bytes;
  state_at_ns_ = monotonic_ns();
  states_++;
  // As far as there is anything to do for it, it has done it.
  receiver_->set_applied(applied);
  if (!said_caught_up_.exchange(true)) emit_({{"type", "caughtUp"}});
  if (states_ % kStatesBetweenFolds != 0 || folding_) return;
  if (folder_.joinable()) folder_.join();
  folding_ = true;
  folder_ = start_thread("us-fold", [this, seq = complete_->seq] { fold_states(seq); });
}

// Each builds upon the one before; a restore would open all of them.
void BackupSession::fold_states(uint64_t seq) {
  try {
    checkpoint::release_before(replica_options_.journal_dir, seq);
  } catch (const HostError& error) {
    emit_(message(abi::kWarning, std::string("older states stay here: ") + error.what()));
  }
  folding_ = false;
}

// True: it is kept. Otherwise the replica takes it now.
bool BackupSession::keep_for_later(const MirrorRecord& record) {
  while (pending_bytes_ + record.size > kPendingBytesMax && restored_ && !ready_ && !replica_over_ && !closing_)
    usleep(kRoomPollUs);
  {
    const std::lock_guard lock(pending_mutex_);
    if (ready_) return false;
    if (pending_bytes_ + record.size <= kPendingBytesMax) {
      pending_bytes_ += record.size;
      pending_.push_back({record.position, record.seq, {record.data, record.data + record.size}});
      if (passive_ && complete_) receiver_->set_applied(record.position);
      return true;
    }
    pending_.clear();
  }
  fail_replica(
      {{"detail", "more journal has come in than fits into memory while the state was restored"}, {"seq", record.seq}});
  return true;
}

// False: nothing waits any more, and what comes now the records' thread feeds itself.
bool BackupSession::take_pending() {
  std::deque<Pending> taken;
  {
    const std::lock_guard lock(pending_mutex_);
    if (pending_.empty()) {
      ready_ = true;
      return false;
    }
    taken.swap(pending_);
  }
  for (; !taken.empty(); taken.pop_front()) {
    const Pending& p = taken.front();
    if (replica_over_ || !feed(p.position, p.seq, p.bytes)) break;
    // The primary has to know how far this is from what it does now.
    update_applied();
    pending_bytes_ -= p.bytes.size();
  }
  return true;
}

void BackupSession::restore_from(const ReceivedState& state) {
  ReplicaOptions options = replica_options_;
  options.from_seq = state.seq;
  if (storage_ != nullptr) storage_->put_in_place();
  make_replica(options);
  for (int i = 0; !replica_->is_restored(); i++) {
    if (replica_over_ || closing_) throw HostError("PAIR", ESRCH, "", "the replica has ended while it was restored");
    if (i == kRestoreMs)
      throw HostError("PAIR", ETIMEDOUT, "",
                      "the replica cannot be restored within " + std::to_string(kRestoreMs) + " ms");
    usleep(1000);
  }
  if (table_ != nullptr) table_->map_cookies([this](uint64_t cookie) { return replica_->shadow_cookie(cookie); });
  begin_guest_messages();
  if (storage_ != nullptr) storage_->forget_before();
  // It is in memory, and its guest's next backup gets a state of its own.
  for (uint64_t seq : checkpoint::list_checkpoints(options.journal_dir))
    unlink(checkpoint::state_path(options.journal_dir, seq).c_str());
}

void BackupSession::restore() {
  try {
    restore_from(*complete_);
  } catch (const std::exception& error) {
    return fail_replica({{"detail", std::string(error.what())}, {"seq", complete_->seq}});
  }
  {
    std::lock_guard lock(fed_mutex_);
    fed_.push_back({complete_->position, 0});
  }
  restored_ = true;
  if (durable_) note_written(complete_->position, complete_->seq);
  while (take_pending()) {}
  for (int i = 0; i < kCatchUpMs && !replica_over_ && !closing_; i++) {
    update_applied();
    {
      const std::lock_guard lock(fed_mutex_);
      if (fed_.empty()) break;
    }
    usleep(1000);
  }
  if (!replica_over_ && !said_caught_up_.exchange(true)) emit_({{"type", "caughtUp"}});
}

// In the takeover: nothing comes any more.
void BackupSession::wake_passive() {
  if (!complete_) throw HostError("TAKEOVER", ENOENT, "", "no state has come whole that a replica could be made of");
  try {
    restore_from(*complete_);
  } catch (const HostError&) {
    // Files change places while they are folded; what is open stays.
    if (!folding_ || replica_ != nullptr) throw;
    folder_.join();
    restore_from(*complete_);
  }
  while (take_pending()) {}
}

}  // namespace understudy::host
