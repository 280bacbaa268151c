// See live_session.h.
#include "live_session.h"

#include <signal.h>

#include <filesystem>
#include <future>

#include "checkpoint/live_check.h"
#include "checkpoint/resets.h"
#include "net/net_ring.h"
#include "session_parts.h"

namespace understudy::host {
namespace {
constexpr int kDrainMs = 10'000;
constexpr int kDeathMs = 5000;
constexpr useconds_t kPollUs = 500;

double milliseconds(const timeval& t) { return double(t.tv_sec) * 1000 + double(t.tv_usec) / 1000; }
}  // namespace

LiveSession::LiveSession(const LiveOptions& options, EmitEvent emit)
    : emit_(std::move(emit)),
      started_ns_(monotonic_ns()),
      journal_dir_(std::filesystem::absolute(options.journal_dir)),
      from_seq_(options.from_seq) {
  const auto report = [this](abi::MessageLevel level, const std::string& text) { emit_(message(level, text)); };
  std::vector<std::string> warnings;
  {
    const checkpoint::Restore asked(options.checkpoint_journal, options.from_seq);
    warnings = checkpoint::check_live(asked);
    epoch_ = asked.manifest().epoch + 1;
    prepare_journal_dir(journal_dir_);
    checkpoint::bring_checkpoint(asked, options.checkpoint_journal, journal_dir_);
  }
  ReplicaOptions replica;
  replica.journal_dir = journal_dir_;
  replica.agent_path = options.agent_path;
  replica.stub_path = options.stub_path;
  replica.scratch_dir = options.scratch_dir;
  replica.cache_dir = options.cache_dir;
  replica.is_command = true;
  replica.ring_bytes = options.ring_bytes;
  replica.segment_bytes = options.segment_bytes;
  replica.epoch = epoch_;
  replica.kick_after_ms = options.kick_after_ms;
  replica.isolation = options.isolation;
  replica.from_seq = from_seq_;
  Replica::Hooks hooks;
  hooks.message = report;
  hooks.diverged = [this](const Plain::Object& event) {
    std::string detail = "it failed without a word";
    for (const auto& [field, value] : event)
      if (const auto* text = std::get_if<std::string>(&value.value); field == "detail" && text != nullptr)
        detail = *text;
    tell_failure("CHECKPOINT_UNSUPPORTED", detail);
  };
  hooks.journal_failed = [this](const PumpFailure& failure) {
    journal_error_ = true;
    emit_({{"type", "journalError"},
           {"code", errno_name(failure.io.error)},
           {"path", failure.io.path},
           {"text", failure.text + " (" + failure.io.path + ")"}});
    const std::lock_guard lock(standing_mutex_);
    if (replica_ != nullptr) replica_->kill();
  };
  hooks.ended = [this](int status, bool) {
    status_ = status;
    stopping_ = true;
    finish_soon();
  };
  replica_ = std::make_unique<Replica>(replica, std::move(hooks));
  pid_ = replica_->pid();
  emit_({{"type", "started"}, {"pid", int(pid_)}});
  for (const std::string& text : warnings) report(abi::kWarning, text);
  restorer_ = start_thread("us-restore", [this] { restore(); });
  finisher_ = start_thread("us-finisher", [this] { finish(); });
}

LiveSession::~LiveSession() {
  if (!finisher_.joinable()) return;
  LiveSession::kill(SIGKILL);
  finisher_.join();
}

void LiveSession::tell_failure(const std::string& code, const std::string& text) {
  if (!failed_.exchange(true)) emit_({{"type", "restoreFailed"}, {"code", code}, {"text", text}});
  stopping_ = true;
  finish_soon();
}

void LiveSession::restore() {
  try {
    bring_back();
  } catch (const HostError& error) { tell_failure(error.code, error.what()); }
}

void LiveSession::bring_back() {
  const checkpoint::Restore& restore = *replica_->restore();
  std::future<void> verified = std::async(std::launch::async, [&] { restore.verify(); });
  while (!replica_->is_restored() && !stopping_) usleep(kPollUs);
  verified.get();
  if (stopping_) return;
  {
    // What the drained threads still send to their connections goes where these have gone.
    NetRingReader nowhere(replica_->memory().net(),
                          {[](const abi::NetMessage&, const uint8_t*) {},
                           [this](abi::MessageLevel level, const std::string& text) { emit_(message(level, text)); }});
    const std::string trouble = replica_->drain(kDrainMs);
    if (!trouble.empty() && !stopping_) throw HostError("CHECKPOINT_UNSUPPORTED", EBUSY, "", trouble);
  }
  if (stopping_) return;
  const checkpoint::RestoredSockets sockets = checkpoint::restore_sockets(
      *restore.kernel(), [this](int64_t pid, int32_t fd) { return replica_->descriptor(pid, fd); });
  for (const std::string& text : sockets.lost) emit_(message(abi::kWarning, text));
  const uint64_t then = restore.group().monotonic_ns;
  if (auto error = replica_->go_live(epoch_, then == 0 ? 0 : int64_t(then - monotonic_ns())))
    throw HostError("JOURNAL_DIR", error->error, error->path,
                    "cannot write the journal: " + error->path + ": " + errno_text(error->error));
  emit_({{"type", "live"},
         {"seq", from_seq_},
         {"tookMs", double(monotonic_ns() - started_ns_) / 1e6},
         {"processes", uint32_t(replica_->pids().size())},
         {"threads", load_acquire(replica_->memory().control().live_threads)},
         {"listening", sockets.listening},
         {"reset", sockets.reset}});
  if (restore.chain().size() == 1) return;
  // In the new journal it is the first: nobody can begin with those that it builds upon.
  try {
    checkpoint::release_before(journal_dir_, from_seq_);
  } catch (const HostError& error) {
    emit_(message(abi::kWarning, std::string("the checkpoint stays in parts: ") + error.what()));
  }
}

void LiveSession::kill(int signal) {
  const std::lock_guard lock(standing_mutex_);
  if (replica_ == nullptr) return;
  if (signal != SIGKILL && replica_->live()) return void(replica_->signal_root(signal));
  killed_ = true;
  stopping_ = true;
  replica_->kill();
  // Of one that is live the warden says when all of it has ended.
  if (!replica_->live()) finish_soon();
}

Plain::Object LiveSession::stats() {
  const std::lock_guard lock(standing_mutex_);
  const bool live = replica_ != nullptr && replica_->live();
  const Replica::Journal journal = live ? replica_->journal() : Replica::Journal{};
  return {{"live", live},
          {"events", live ? journal.events - from_seq_ : 0},
          {"journalBytes", journal.journal_bytes},
          {"processes", live ? replica_->warden().processes() : 0},
          {"threads", live ? load_acquire(replica_->memory().control().live_threads) : 0}};
}

void LiveSession::finish() {
  wait_finish();
  stopping_ = true;
  // Whatever is left: of one that has failed or was killed, all.
  {
    const std::lock_guard lock(standing_mutex_);
    replica_->kill();
  }
  restorer_.join();
  for (int i = 0; i < kDeathMs && replica_->warden().processes() > 0; i++) usleep(1000);
  const bool live = replica_->live();
  if (live) replica_->finish_journal();
  const Replica::Journal journal = live ? replica_->journal() : Replica::Journal{};
  const auto root = live ? replica_->root_end() : std::nullopt;
  Plain::Object event{{"type", "ended"},
                      {"status", status_.load()},
                      {"outcome", failed_          ? live ? "fault" : "failed"
                                  : journal_error_ ? "journalError"
                                  : killed_        ? "killed"
                                                   : "ended"},
                      {"events", live ? journal.events - from_seq_ : 0},
                      {"bytes", journal.bytes},
                      {"journalBytes", journal.journal_bytes},
                      {"segments", journal.segments},
                      {"wallMs", double(monotonic_ns() - started_ns_) / 1e6},
                      {"cpu", Plain::Object{{"userMs", root ? milliseconds(root->usage.ru_utime) : 0.0},
                                            {"systemMs", root ? milliseconds(root->usage.ru_stime) : 0.0}}},
                      {"counters", counters(replica_->memory().control())}};
  std::unique_ptr<Replica> gone;
  {
    const std::lock_guard lock(standing_mutex_);
    gone = std::move(replica_);
  }
  gone.reset();
  emit_(std::move(event));
}

}  // namespace understudy::host
