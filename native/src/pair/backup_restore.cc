// A backup of a group that ran before it had this one: how its replica comes to be. See backup.h.
//
// The mirror brings, in this order: sockets, the mark, then the journal's records among those of the state (records.h). The records' thread
// never waits for the replica here, since the primary's packets come the same way: what is fed later is kept in memory.
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint/state_file.h"
#include "pair/backup.h"
#include "session_parts.h"

namespace understudy::host {
namespace {
constexpr uint64_t kPendingBytesMax = 2ull << 30;
constexpr int kRestoreMs = 60'000, kCatchUpMs = 60'000;
}  // namespace

void BackupSession::on_socket(const MirrorRecord& record) {
  try {
    sockets_.push_back(decode_socket({record.data, record.size}));
  } catch (const HostError& error) { fail_replica({{"detail", std::string(error.what())}, {"seq", record.seq}}); }
}

void BackupSession::on_mark(const MirrorRecord& record) {
  uint64_t told[2] = {};
  if (record.size == sizeof told) memcpy(told, record.data, sizeof told);
  if (ready_ || mark_seq_ || record.size != sizeof told || told[0] != sockets_.size())
    return fail_replica({{"detail", "the mirror carries a mark that is none"}, {"seq", record.seq}});
  mark_seq_ = record.seq;
  mark_position_ = record.position;
  guest_clock_ns_ = int64_t(told[1]);
  if (table_ != nullptr) table_->import(sockets_);
  sockets_ = {};
}

void BackupSession::on_state(const MirrorRecord& record) {
  uint64_t place[2];
  const uint64_t size = record.size < sizeof place ? 0 : record.size - sizeof place;
  if (size != 0) memcpy(place, record.data, sizeof place);
  if (size == 0 || !mark_seq_ || record.seq != *mark_seq_ || place[1] + size > place[0] || restorer_.joinable())
    return fail_replica({{"detail", "the mirror carries a part of a state that is none"}, {"seq", record.seq}});
  const std::string path = checkpoint::state_path(replica_options_.journal_dir, record.seq);
  if (!state_) {
    mkdir(checkpoint::checkpoint_dir(replica_options_.journal_dir).c_str(), 0755);
    state_ = UniqueFd(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
    if (state_ && ftruncate(state_.get(), off_t(place[0])) != 0) state_.reset();
  }
  if (!state_ || pwrite(state_.get(), record.data + sizeof place, size, off_t(place[1])) != ssize_t(size))
    return fail_replica({{"detail", "cannot write " + path + ": " + errno_text(errno)}, {"seq", record.seq}});
  if (place[1] + size < place[0]) return;
  // All that it needs is here.
  state_.reset();
  restorer_ = start_thread("us-restore", [this] { restore(); });
}

// True: it is kept. Otherwise the replica takes it now.
bool BackupSession::keep_for_later(const MirrorRecord& record) {
  {
    const std::lock_guard lock(pending_mutex_);
    if (ready_) return false;
    pending_bytes_ += record.size;
    if (pending_bytes_ <= kPendingBytesMax) {
      pending_.push_back({record.position, record.seq, {record.data, record.data + record.size}});
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
    pending_bytes_ = 0;
  }
  for (const Pending& p : taken)
    if (replica_over_ || !feed(p.position, p.seq, p.bytes)) break;
  return true;
}

void BackupSession::restore() {
  ReplicaOptions options = replica_options_;
  options.from_seq = *mark_seq_;
  const auto failed = [&](const std::string& why) { fail_replica({{"detail", why}, {"seq", options.from_seq}}); };
  try {
    make_replica(options);
    for (int i = 0; !replica_->is_restored(); i++) {
      if (replica_over_ || closing_) return;
      if (i == kRestoreMs) return failed("the replica cannot be restored within " + std::to_string(kRestoreMs) + " ms");
      usleep(1000);
    }
    if (table_ != nullptr) table_->map_cookies([this](uint64_t cookie) { return replica_->shadow_cookie(cookie); });
    begin_guest_messages();
  } catch (const std::exception& error) { return failed(error.what()); }
  // It is in memory, and needed only until the replica takes over, which takes checkpoints of its own.
  unlink(checkpoint::state_path(options.journal_dir, options.from_seq).c_str());
  {
    std::lock_guard lock(fed_mutex_);
    fed_.push_back({mark_position_, 0});
  }
  if (durable_) note_written(mark_position_, options.from_seq);
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

}  // namespace understudy::host
