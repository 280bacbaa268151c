// See keeper.h.
#include "pair/keeper.h"

#include <unistd.h>

#include "net/socket_diag.h"
#include "session_parts.h"

namespace understudy::host {
namespace {
constexpr uint32_t kConnectMs = 10'000, kLookMs = 20, kPaceMs = 5;
// Of moments at which connections wait to be accepted; a guest that accepts none gets its backup, too.
constexpr int kRefusals = 20;
constexpr uint64_t kProgressNs = 250'000'000;

Pump::Tap tap_of(Protection* to) {
  return [to](uint64_t first_seq, uint64_t count, const uint8_t* events, size_t len, uint64_t end) {
    to->tap(first_seq, count, events, len, end);
  };
}
}  // namespace

Keeper::Keeper(KeeperOptions options, MemoryFile& memory, const Enclosure& enclosure, EmitEvent emit)
    : options_(std::move(options)), memory_(memory), enclosure_(enclosure), emit_(std::move(emit)) {
  if (!options_.gate) return;
  const auto vip = options_.gate->vip.mapped();
  memcpy(memory_.control().pair.vip, vip.data(), vip.size());
}

Keeper::~Keeper() { stop(); }

void Keeper::begin(const MirrorConfig& mirror) {
  protection_ = std::make_shared<Protection>(
      ProtectionOptions{mirror, options_.gate, options_.durable, options_.rpo_ms, options_.rpo_bytes, false}, memory_,
      enclosure_, emit_, true);
}

Pump::Tap Keeper::tap() { return protection_ == nullptr ? Pump::Tap{} : tap_of(protection_.get()); }

void Keeper::adopt(RunningGroup group) {
  const std::lock_guard lock(mutex_);
  group_.emplace(std::move(group));
  checkpointer_ = std::make_unique<checkpoint::Checkpointer>(memory_, group_->warden, group_->pump, group_->blobs,
                                                             enclosure_, group_->journal_dir, group_->agent_path,
                                                             group_->epoch, 0);
  checkpointer_->for_replicas({-1, group_->output, group_->output});
  for (Tracked& t : tracked_) checkpointer_->track(t.slot, t.pid, std::move(t.userfault));
  tracked_.clear();
}

std::shared_ptr<Protection> Keeper::current() {
  const std::lock_guard lock(mutex_);
  return protection_;
}

// ---- attaching ----------------------------------------------------------------------------------------------------------------------
void Keeper::attach(const AttachOptions& wanted) {
  std::thread before;
  {
    const std::lock_guard lock(mutex_);
    if (stopped_ || !group_) throw HostError("PAIR", ESRCH, "", "the service has ended, or does not run yet");
    if (attaching_ && !given_up_) throw HostError("PAIR", EBUSY, "", "a backup is being attached already");
    if (protection_ != nullptr && protection_->waits() && !protection_->is_open())
      throw HostError("PAIR", EEXIST, "", "the service has a backup already");
    given_up_ = true;
    checkpointer_->cancel();
    before = std::move(attacher_);
  }
  // It is about to find that what it works for is lost, or open.
  if (before.joinable()) before.join();
  ProtectionOptions options{wanted.mirror,   options_.gate,      options_.durable,
                            options_.rpo_ms, options_.rpo_bytes, wanted.state_every_ms != 0};
  if (options.gate)
    options.gate->forward_to = wanted.forward_to ? *wanted.forward_to : Address::parse(wanted.mirror.address);
  const std::lock_guard lock(mutex_);
  if (stopped_) return;
  attaching_ = true;
  given_up_ = false;
  checkpointer_->allow();
  attacher_ = start_thread("us-attach", [this, options, wanted] { run_attach(options, wanted); });
}

// The one before lets go of the pump, and of the rules and queues that the new one's gate has the same names for.
void Keeper::replace(std::shared_ptr<Protection> by) {
  std::shared_ptr<Protection> before;
  {
    const std::lock_guard lock(mutex_);
    before = std::exchange(protection_, nullptr);
  }
  if (before != nullptr) {
    group_->pump.retap({});
    before->close("another backup takes its place");
    // Whoever asked it something in this moment holds it for as long as that takes.
    while (before.use_count() > 1) usleep(1000);
    before.reset();
  }
  const std::lock_guard lock(mutex_);
  protection_ = std::move(by);
}

void Keeper::run_attach(const ProtectionOptions& options, const AttachOptions& wanted) {
  std::string failed;
  std::shared_ptr<Protection> to;
  try {
    replace(nullptr);
    to = std::make_shared<Protection>(options, memory_, enclosure_, emit_, false);
    replace(to);
    attach_one(to, wanted.storage, &failed);
  } catch (const std::exception& error) {
    failed = error.what();
    // What it was lost by says more.
    if (const std::string lost = to != nullptr ? to->wait_lost(0) : ""; !lost.empty()) failed = lost;
  }
  bool given_up;
  {
    const std::lock_guard lock(mutex_);
    given_up = given_up_ || stopped_;
  }
  if (failed.empty() && !given_up && wanted.state_every_ms != 0) send_more(*to, wanted.state_every_ms);
  if (failed.empty() && !given_up) {
    // It is on its way: from here on it is lost, or protects.
    for (std::string lost; failed.empty();) {
      lost = to->wait_lost(kPaceMs);
      to->pace();
      const std::lock_guard lock(mutex_);
      given_up = given_up_ || stopped_ || to->is_open();
      if (given_up || to->waits()) break;
      failed = lost;
    }
  }
  if (to != nullptr && !to->waits()) {
    to->go_unprotected();
    group_->pump.retap({});
  }
  {
    const std::lock_guard lock(mutex_);
    attaching_ = false;
  }
  if (!failed.empty() && !given_up) emit_({{"type", "attachFailed"}, {"reason", failed}});
}

void Keeper::attach_one(const std::shared_ptr<Protection>& to, const std::vector<StorageRoot>& storage,
                        std::string* failed) {
  if (auto why = to->wait_connected(kConnectMs)) {
    *failed = *why;
    return;
  }
  emit_({{"type", "attached"}});
  const std::unique_ptr<StorageTransfer> transfer = transfer_to(*to, storage);
  if (transfer != nullptr) transfer->copy_ahead();
  if (is_over(*to)) return;
  send_one(*to, transfer.get(), true);
}

// Nobody waits for the state any more. A loss is told elsewhere.
bool Keeper::is_over(const Protection& to) {
  const std::lock_guard lock(mutex_);
  return given_up_ || stopped_ || to.is_open() || to.fenced() || to.is_lost();
}

void Keeper::give_up_if_over(const Protection& to) {
  if (is_over(to)) throw HostError("PAIR", ECANCELED, "", "the backup that the state was for is lost");
}

std::unique_ptr<StorageTransfer> Keeper::transfer_to(Protection& to, const std::vector<StorageRoot>& storage) {
  if (storage.empty()) return nullptr;
  return std::make_unique<StorageTransfer>(
      storage, [this, &to](const std::string& record) { return !is_over(to) && to.storage(record); }, progress(),
      emit_);
}

// Tells how much of the state has been sent: the first and the last time, and often enough between.
std::function<void(uint64_t, uint64_t)> Keeper::progress() {
  return [this, said_ns = uint64_t{0}](uint64_t bytes, uint64_t total) mutable {
    const uint64_t now = monotonic_ns();
    if (bytes != total && now - said_ns < kProgressNs) return;
    said_ns = now;
    emit_({{"type", "stateSent"}, {"bytes", bytes}, {"total", total}});
  };
}

void Keeper::send_more(Protection& to, uint64_t every_ms) {
  for (;;) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(every_ms);
    while (!is_over(to) && std::chrono::steady_clock::now() < until) {
      std::unique_lock lock(mutex_);
      changed_.wait_until(lock, std::min(until, std::chrono::steady_clock::now() + std::chrono::milliseconds(kLookMs)));
    }
    if (is_over(to)) return;
    try {
      send_one(to, nullptr, false);
    } catch (const HostError& error) {
      if (is_over(to)) return;
      // It has the one before, and the journal since.
      emit_(message(abi::kWarning, std::string("no new state for the backup this time: ") + error.what()));
    }
  }
}

void Keeper::send_one(Protection& protection, StorageTransfer* storage, bool first) {
  Protection* to = &protection;
  uint64_t offset = 0;
  int refusals = 0;
  checkpoint::Checkpointer::Recipient recipient;
  // Everything that takes long has been copied: not before that clients' packets take the longer way.
  recipient.soon = [&] {
    give_up_if_over(*to);
    if (first) to->begin_gate();
    if (storage != nullptr) storage->copy_soon();
  };
  recipient.standing = [&](const std::vector<pid_t>& pids, uint64_t seq, uint64_t ring_offset) {
    give_up_if_over(*to);
    offset = ring_offset;
    if (!to->mark(pids, seq, ring_offset, refusals < kRefusals)) {
      refusals++;
      return false;
    }
    if (first) group_->pump.retap(tap_of(to));
    if (storage != nullptr) storage->at_standstill(pids);
    return true;
  };
  const checkpoint::Taken taken = checkpointer_->take(&recipient, first);
  if (taken.existed) {  // nothing has happened since
    const std::lock_guard lock(mutex_);
    state_at_ns_ = monotonic_ns();
    return;
  }
  // What the backup has been given is of no use to this host but for the next one to build upon.
  if (!sent_path_.empty() && sent_path_ != taken.path) unlink(sent_path_.c_str());
  sent_path_ = taken.path;
  if (first) {
    char text[160];
    snprintf(text, sizeof text, "the new backup's state is taken: %.1f MB; the guest stood still for %.1f ms",
             double(taken.page_bytes) / 1e6, double(taken.pause_ns) / 1e6);
    emit_(message(abi::kInfo, text));
  }
  // Those that come later are sent when they come.
  for (const Capture& capture : first ? group_->blobs.all() : std::vector<Capture>{})
    to->blob(group_->blobs.path_of(hex(capture.sha.data(), capture.sha.size())), capture.sha);
  if (storage != nullptr) storage->finish();
  const bool whole = to->send_state(taken.path, taken.seq,
                                    first ? progress() : std::function<void(uint64_t, uint64_t)>());
  const std::lock_guard lock(mutex_);
  if (!whole) return;
  states_ = first ? 1 : states_ + 1;
  state_bytes_ = taken.page_bytes;
  state_at_ns_ = monotonic_ns();
  state_offset_ = offset;
}

// ---- what there is --------------------------------------------------------------------------------------------------------------------
void Keeper::protect() {
  if (auto protection = current()) protection->protect();
}

void Keeper::go_unprotected() {
  std::shared_ptr<Protection> protection;
  {
    const std::lock_guard lock(mutex_);
    given_up_ = true;
    changed_.notify_all();
    protection = protection_;
    if (attaching_) checkpointer_->cancel();
  }
  if (protection != nullptr && !lost_guest_) protection->go_unprotected();
}

bool Keeper::covers() {
  auto protection = current();
  return protection != nullptr && protection->waits() && !protection->is_open();
}

bool Keeper::fence(const std::string& reason, bool release) {
  auto protection = current();
  if (protection == nullptr) return false;
  protection->fence(reason, release);
  return !options_.gate || protection->has_gate();
}

void Keeper::blob(const std::string& path, const Sha256& sha) {
  auto protection = current();
  if (protection != nullptr && !protection->is_open()) protection->blob(path, sha);
}

void Keeper::track(uint32_t slot, pid_t pid, UniqueFd userfault) {
  const std::lock_guard lock(mutex_);
  if (checkpointer_ != nullptr) checkpointer_->track(slot, pid, std::move(userfault));
  else tracked_.push_back({slot, pid, std::move(userfault)});
}

bool Keeper::on_killed(bool root, int signal) {
  if (!root || !covers()) return false;
  lost_guest_ = true;
  const uint64_t at = monotonic_ns();
  // Everything that the guest had appended goes to the backup before it is told to go on.
  group_->pump.drain();
  const std::string reason = "the guest was killed by signal " + std::to_string(signal);
  fence(reason, false);
  // Said before the backup is told: its answer is the loss of the mirror, which must not be taken for the loss of the backup.
  emit_({{"type", "guestLost"}, {"signal", signal}, {"atNs", at}});
  fence(reason, true);
  group_->warden.kill_group();
  return true;
}

void Keeper::add_stats(Plain::Object& out) {
  const auto protection = current();
  add_protection_stats(out, protection.get(), memory_.control());
  const std::lock_guard lock(mutex_);
  if (states_ == 0 || protection == nullptr || protection->is_open()) return;
  out.emplace_back("stored",
                   Plain::Object{{"states", states_},
                                 {"stateBytes", state_bytes_},
                                 {"stateAgeMs", double(monotonic_ns() - state_at_ns_) / 1e6},
                                 {"journalBytes", load_acquire(memory_.control().ring.head) - state_offset_}});
}

void Keeper::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
    if (checkpointer_ != nullptr) checkpointer_->cancel();
  }
  if (attacher_.joinable()) attacher_.join();
  if (!sent_path_.empty()) unlink(sent_path_.c_str());
}

bool Keeper::close(const std::string& reason) {
  auto protection = current();
  if (protection == nullptr) return false;
  protection->close(reason);
  return protection->diverts();
}

void Keeper::discard() {
  std::shared_ptr<Protection> last;
  {
    const std::lock_guard lock(mutex_);
    last = std::exchange(protection_, nullptr);
  }
  if (!options_.gate || !group_)
    return;  // what never ran has left nothing, and the address may be another session's by now
  try {
    end_stale_connections(options_.gate->service, options_.gate->vip);
  } catch (const HostError& error) { emit_(message(abi::kError, error.what())); }
}

}  // namespace understudy::host
