// See primary.h.
#include "pair/primary.h"

#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "checkpoint/page_tracker.h"
#include "net/classifier.h"
#include "session_parts.h"

namespace understudy::host {
namespace {
constexpr useconds_t kDivertUs = 100'000;
}  // namespace

PrimarySession::PrimarySession(const PrimaryOptions& options, EmitEvent emit)
    : emit_(std::move(emit)),
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
  std::string cannot_track;
  if (checkpoint::PageTracker::supported(&cannot_track)) control.flags |= abi::kFlagTrack;
  if (!options.mirror) control.pair.held = ~0ull;
  prepare_journal_dir(record.journal_dir);
  if (auto error = writer_.open_first())
    throw HostError("JOURNAL_DIR", error->error, error->path,
                    "cannot create " + error->path + ": " + errno_text(error->error));

  auto report = [this](abi::MessageLevel level, const std::string& text) { emit_(message(level, text)); };
  launcher_ = std::make_unique<Launcher>(memory_, enclosure_, report);
  std::optional<GateConfig> gate;
  if (options.network) gate = options.network->gate;
  keeper_ = std::make_unique<Keeper>(KeeperOptions{gate, options.durable, options.rpo_ms, options.rpo_bytes}, memory_,
                                     enclosure_, emit_);
  if (options.mirror) keeper_->begin(*options.mirror);
  if (gate) {
    if (!options.mirror) Gate::clean_leftovers(gate->service);
    // A backup may be attached while there are connections.
    if (const unsigned index = if_nametoindex(gate->interface.c_str())) prepare_interface(int(index));
    vip_ = std::make_unique<Vip>(gate->vip, gate->prefix, gate->interface);
    vip_->add();
    vip_->announce();
  }
  pump_ = std::make_unique<Pump>(
      memory_, writer_,
      [this](const PumpFailure& failure) {
        emit_({{"type", "journalError"},
               {"code", errno_name(failure.io.error)},
               {"path", failure.io.path},
               {"text", failure.text + " (" + failure.io.path + ")"}});
        if (pump_->failed()) warden_->kill_group();
      },
      keeper_->tap(), 0, Pump::WithoutFile::GoesOn);
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
  service_hooks.new_blob = [this](const std::string& path, const Sha256& sha) { keeper_->blob(path, sha); };
  service_hooks.track = [this](uint32_t slot, pid_t pid, UniqueFd userfault) {
    keeper_->track(slot, pid, std::move(userfault));
  };
  service_ = std::make_unique<Service>(memory_, blobs_, sites_, *warden_, launcher_.get(), enclosure_,
                                       std::move(service_hooks));
  guard_ = guard_for(record.isolation, &control);

  output_ = UniqueFd(open(options.output_path.empty() ? "/dev/null" : options.output_path.c_str(),
                          O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  if (!output_)
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
  spawn.output_fd = output_.get();
  keeper_->adopt({*warden_, *pump_, blobs_, record.journal_dir, record.agent_path, record.epoch, output_.get()});
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

void PrimarySession::fence(const std::string& reason, bool release) {
  if (keeper_->fence(reason, release)) return;
  // Nobody has fenced a primary without a backup in the kernel beforehand.
  if (vip_ != nullptr) {
    try {
      vip_->remove();
    } catch (const HostError& error) { emit_(message(abi::kError, error.what())); }
  }
  warden_->kill_group();
}

bool PrimarySession::on_killed(bool root, int signal) { return !killed_ && keeper_->on_killed(root, signal); }

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
  Plain::Object out{{"events", pump_->events()},
                    {"bytes", pump_->bytes()},
                    {"journalBytes", writer_.journal_bytes()},
                    {"processes", warden_->processes()},
                    {"threads", load_acquire(control.live_threads)},
                    {"commits", load_acquire(control.pair.stat_commits)},
                    {"commitWaits", load_acquire(control.pair.stat_commit_waits)},
                    {"commitWaitNs", load_acquire(control.pair.stat_commit_wait_ns)},
                    {"counters", counters(control)}};
  keeper_->add_stats(out);
  return out;
}

void PrimarySession::finish() {
  wait_finish();
  abi::Control& control = memory_.control();
  keeper_->stop();
  pump_->finish();
  const auto root = launcher_->reap_root();
  const uint32_t events = uint32_t(pump_->events());
  service_->stop();
  warden_->stop();
  if (!keeper_->lost_guest()) {
    emit_({{"type", "guestEnded"},
           {"status", root ? root->status : control.exit_status},
           {"killed", killed_.load()},
           {"events", events}});
    // The coordinator is told first; until then the mirror stays, so that its end is not taken for a failure.
    std::unique_lock lock(finish_mutex_);
    finish_changed_.wait(lock, [this] { return killed_.load(); });
  }
  // Until the clients have learnt where the address is now, what they send here is sent on.
  if (keeper_->close(keeper_->lost_guest() ? "the guest was lost" : "the guest has ended")) usleep(kDivertUs);
  if (vip_ != nullptr) {
    try {
      vip_->remove();
    } catch (const HostError& error) { emit_(message(abi::kError, error.what())); }
  }
  keeper_->discard();
  launcher_->stop();
  enclosure_.close();
  emit_({{"type", "ended"}});
}

}  // namespace understudy::host
