// See session.h.
#include "session.h"

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <future>

#include "session_parts.h"

namespace understudy::host {

namespace {
double milliseconds(const timeval& t) { return double(t.tv_sec) * 1000 + double(t.tv_usec) / 1000; }

Plain::Object cut_fields(const Cut& cut) {
  return {
      {"clean", cut.clean}, {"seq", cut.seq}, {"segment", cut.segment}, {"offset", cut.offset}, {"reason", cut.reason}};
}
}  // namespace

void Session::finish_soon() {
  std::lock_guard lock(finish_mutex_);
  finish_ = true;
  finish_changed_.notify_all();
}

void Session::wait_finish() {
  std::unique_lock lock(finish_mutex_);
  finish_changed_.wait(lock, [&] { return finish_; });
}

// ---- Recording -------------------------------------------------------------------------------------------------------

RecordSession::RecordSession(const RecordOptions& options, EmitEvent emit)
    : emit_(std::move(emit)),
      continue_on_journal_error_(options.continue_on_journal_error),
      started_ns_(monotonic_ns()),
      memory_(abi::kModeRecord, options.agent_path, options.ring_bytes),
      blobs_(options.journal_dir, options.cache_dir),
      sites_(options.cache_dir),
      writer_(options.journal_dir, options.segment_bytes, options.epoch),
      checkpoint_every_ms_(options.checkpoint_every_ms) {
  abi::Control& control = memory_.control();
  control.on_error = continue_on_journal_error_ ? abi::kOnErrorContinue : abi::kOnErrorStop;
  control.kick_after_ms = options.kick_after_ms;
  prepare_journal_dir(options.journal_dir);
  if (auto error = writer_.open_first())
    throw HostError("JOURNAL_DIR", error->error, error->path,
                    "cannot create " + error->path + ": " + errno_text(error->error));

  if (options.isolation && options.isolation->pid) control.flags |= abi::kFlagPidNamespace;
  if (options.as_primary) {
    control.flags |= abi::kFlagPair;
    control.pair.held = ~0ull;
  }
  std::string cannot_track;
  if (checkpoint_every_ms_ != 0) {
    control.flags |= abi::kFlagCheckpoints;
    if (checkpoint::PageTracker::supported(&cannot_track)) control.flags |= abi::kFlagTrack;
    else
      emit_(
          message(abi::kWarning, "each checkpoint copies all memory while the program stands still: " + cannot_track));
  }
  launcher_ = std::make_unique<Launcher>(
      memory_, enclosure_, [this](abi::MessageLevel level, const std::string& text) { emit_(message(level, text)); });
  SpawnOptions spawn;
  if (options.isolation) spawn.user = options.isolation->user;
  spawn.argv = options.argv;
  spawn.env = options.env;
  spawn.cwd = options.cwd;
  spawn.memory_fd = memory_.fd();
  spawn.guest_fd = control.guest_fd;
  spawn.traced = true;
  spawn.ignored_signals = options.ignored_signals;
  guard_ = guard_for(options.isolation, &control);
  launcher_->begin_start(spawn, options.isolation);
  // The guest's first requests and events wait in the memory file for who answers and writes them.
  pump_ = std::make_unique<Pump>(memory_, writer_, [this](const PumpFailure& failure) { on_pump_failure(failure); });
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
  hooks.report = [this](abi::MessageLevel level, const std::string& text) { emit_(message(level, text)); };
  warden_ = std::make_unique<Warden>(memory_, *launcher_, enclosure_, std::move(hooks));
  checkpointer_ = std::make_unique<checkpoint::Checkpointer>(memory_, *warden_, *pump_, blobs_, enclosure_,
                                                             options.journal_dir, options.agent_path, options.epoch,
                                                             options.checkpoint_keep);
  // The guest has inherited these three.
  if (options.checkpoint_kernel) checkpointer_->for_replicas({0, 1, 2});
  // It can be restored live, if all it has can be described: only so does it get the process numbers that it had.
  else if (options.isolation && options.isolation->pid) checkpointer_->for_replicas({0, 1, 2}, true);
  service_ = std::make_unique<Service>(
      memory_, blobs_, sites_, *warden_, launcher_.get(), enclosure_,
      Service::Hooks{[this](abi::MessageLevel level, const std::string& text) { emit_(message(level, text)); },
                     [this](int error, const std::string& path) {
                       pump_->fail({false, {error, path}, "cannot write the journal: " + errno_text(error)});
                     },
                     {},
                     [this](uint32_t slot, pid_t pid, UniqueFd userfault) {
                       checkpointer_->track(slot, pid, std::move(userfault));
                     }});
  try {
    pid_ = launcher_->finish_start();
  } catch (...) {
    // The journal's caller may try again with another command.
    unlink(segment_path(options.journal_dir, 1).c_str());
    throw;
  }
  emit_({{"type", "started"}, {"pid", int(pid_)}});
  warden_->watch_root(pid_);
  if (checkpoint_every_ms_ != 0) checkpoint_thread_ = start_thread("us-checkpoint", [this] { run_checkpoints(); });
  finisher_ = start_thread("us-finisher", [this] { finish(); });
}

// ---- its checkpoints: on a thread of their own, since the one that traces must stay the same -----------------------------------
void RecordSession::request_checkpoint(uint64_t request) {
  std::lock_guard lock(checkpoint_mutex_);
  if (checkpoints_over_) {
    emit_({{"type", "checkpointFailed"},
           {"request", request},
           {"code", "CHECKPOINT_ENDED"},
           {"text", "the recording has ended"}});
    return;
  }
  checkpoint_requests_.push_back(request);
  if (!checkpoint_thread_.joinable()) checkpoint_thread_ = start_thread("us-checkpoint", [this] { run_checkpoints(); });
  checkpoint_changed_.notify_all();
}

void RecordSession::run_checkpoints() {
  const auto interval = std::chrono::milliseconds(checkpoint_every_ms_);
  auto next = std::chrono::steady_clock::now() + interval;
  std::unique_lock lock(checkpoint_mutex_);
  for (;;) {
    auto due = [&] { return checkpoints_over_ || !checkpoint_requests_.empty(); };
    if (checkpoint_every_ms_ == 0) checkpoint_changed_.wait(lock, due);
    else checkpoint_changed_.wait_until(lock, next, due);
    if (checkpoints_over_) return;
    const std::vector<uint64_t> requests = std::exchange(checkpoint_requests_, {});
    lock.unlock();
    if (requests.empty()) take_checkpoint(0);
    for (uint64_t request : requests) take_checkpoint(request);
    // From its end on: when one takes longer than the interval, the guest is not to stand still all the time.
    if (requests.empty()) next = std::chrono::steady_clock::now() + interval;
    lock.lock();
  }
}

namespace {
Plain::Object pause_parts(const checkpoint::PauseParts& p) {
  const auto ms = [](uint64_t ns) { return double(ns) / 1e6; };
  return {{"threadsMs", ms(p.threads_ns)}, {"journalMs", ms(p.journal_ns)},   {"pagesMs", ms(p.pages_ns)},
          {"agentMs", ms(p.agent_ns)},     {"mappingsMs", ms(p.mappings_ns)}, {"kernelMs", ms(p.kernel_ns)},
          {"resumeMs", ms(p.resume_ns)},   {"givenUp", p.given_up},           {"givenUpMs", ms(p.given_up_ns)}};
}
}  // namespace

void RecordSession::take_checkpoint(uint64_t request) {
  try {
    const checkpoint::Taken taken = checkpointer_->take();
    emit_({{"type", "checkpoint"},
           {"request", request},
           {"seq", taken.seq},
           {"path", taken.path},
           {"pauseMs", double(taken.pause_ns) / 1e6},
           {"tookMs", double(taken.took_ns) / 1e6},
           {"pauseParts", pause_parts(taken.parts)},
           {"pageBytes", taken.page_bytes},
           {"rounds", taken.rounds},
           {"lastPages", taken.last_pages},
           {"incremental", taken.incremental},
           {"processes", taken.processes},
           {"threads", taken.threads},
           {"existed", taken.existed}});
  } catch (const HostError& error) {
    // One that was due is not missed by anybody when the program has ended.
    if (request == 0 && error.code == "CHECKPOINT_ENDED") return;
    emit_({{"type", "checkpointFailed"},
           {"request", request},
           {"code", error.code},
           {"text", std::string(error.what())}});
  }
}

void RecordSession::stop_checkpoints() {
  checkpointer_->cancel();
  {
    std::lock_guard lock(checkpoint_mutex_);
    checkpoints_over_ = true;
    checkpoint_changed_.notify_all();
  }
  if (checkpoint_thread_.joinable()) checkpoint_thread_.join();
}

RecordSession::~RecordSession() {
  if (finisher_.joinable()) {
    warden_->kill_group();
    finisher_.join();
  }
}

void RecordSession::on_pump_failure(const PumpFailure& failure) {
  if (failure.malformed) {
    faulted_ = true;
    emit_(message(abi::kError, failure.text));
  } else {
    journal_error_ = true;
    emit_({{"type", "journalError"},
           {"code", errno_name(failure.io.error)},
           {"path", failure.io.path},
           {"text", failure.text + " (" + failure.io.path + ")"}});
  }
  if (failure.malformed || !continue_on_journal_error_) warden_->kill_group();
}

void RecordSession::on_fault() {
  faulted_ = true;
  emit_(message(abi::kError, "the agent failed: " + detail_of(memory_.control().divergence)));
  warden_->kill_group();
}

void RecordSession::kill(int signal) {
  if (signal == SIGKILL) {
    killed_ = true;
    warden_->kill_group();
  } else {
    warden_->signal_root(signal);
  }
}

Plain::Object RecordSession::stats() {
  abi::Control& control = memory_.control();
  const uint64_t tail = load_acquire(control.ring.tail);
  return {{"events", pump_->events()},
          {"bytes", pump_->bytes()},
          {"journalBytes", writer_.journal_bytes()},
          {"segments", writer_.segments()},
          {"backlogBytes", load_acquire(control.ring.head) - tail},
          {"processes", warden_->processes()},
          {"threads", load_acquire(control.live_threads)},
          {"counters", counters(control)}};
}

void RecordSession::finish() {
  wait_finish();
  stop_checkpoints();
  abi::Control& control = memory_.control();
  // The agent may have said why it failed just before its process died.
  if (load_acquire(control.outcome) == abi::kAgentFault && !faulted_) on_fault();
  pump_->finish();
  const auto root = launcher_->reap_root();
  const char* outcome = faulted_                                       ? "fault"
                        : journal_error_ && continue_on_journal_error_ ? "unprotected"
                        : journal_error_                               ? "journalError"
                        : killed_                                      ? "killed"
                                                                       : "ended";
  Plain::Object cpu{{"userMs", root ? milliseconds(root->usage.ru_utime) : 0.0},
                    {"systemMs", root ? milliseconds(root->usage.ru_stime) : 0.0}};
  Plain::Object event{{"type", "ended"},
                      {"status", root ? root->status : 0},
                      {"outcome", outcome},
                      {"events", pump_->events()},
                      {"bytes", pump_->bytes()},
                      {"journalBytes", writer_.journal_bytes()},
                      {"segments", writer_.segments()},
                      {"wallMs", double(monotonic_ns() - started_ns_) / 1e6},
                      {"cpu", std::move(cpu)},
                      {"counters", counters(control)}};
  service_->stop();
  warden_->stop();
  launcher_->stop();
  enclosure_.close();
  emit_(std::move(event));
}

// ---- Replaying -------------------------------------------------------------------------------------------------------

ReplaySession::ReplaySession(const ReplayOptions& options, EmitEvent emit)
    : emit_(std::move(emit)),
      started_ns_(monotonic_ns()),
      memory_(abi::kModeReplay, options.agent_path, options.ring_bytes),
      // Absolute: the agent uses these paths whatever the guest's working directory is said to be.
      blobs_(std::filesystem::absolute(options.journal_dir), ""),
      sites_(options.cache_dir) {
  abi::Control& control = memory_.control();
  const std::string scratch_dir = std::filesystem::absolute(options.scratch_dir);
  const std::string stub_path = std::filesystem::absolute(options.stub_path);
  const std::optional<Namespaces> isolation = stage_replay(control, options.isolation, blobs_.blob_dir(), scratch_dir,
                                                           stub_path);
  control.until_seq = options.until_seq;
  control.quiet = options.quiet ? 1 : 0;
  struct stat st;
  if (stat((options.journal_dir + "/segments").c_str(), &st) != 0)
    throw HostError("JOURNAL_DIR", errno, options.journal_dir,
                    options.journal_dir + " is not a journal: " + errno_text(errno));
  std::vector<Bind> page_binds;
  std::future<void> verified;
  if (options.from_seq != 0) {
    const bool staged = isolation && isolation->mount;
    restore_ = std::make_unique<checkpoint::Restore>(options.journal_dir, options.from_seq);
    if (((restore_->group().flags & abi::kFlagPidNamespace) != 0) != (isolation && isolation->pid) && isolation &&
        isolation->pid)
      throw HostError("CHECKPOINT_READ", EINVAL, options.journal_dir, "the checkpoint was taken without isolation");
    // Beside the agent, which fills the memory meanwhile: nothing of it runs before there are events.
    verified = std::async(std::launch::async, [this] { restore_->verify(); });
    restore_->prepare(memory_, blobs_, options.agent_path, staged ? scratch_dir + "/open" : scratch_dir,
                      staged ? &page_binds : nullptr);
  }

  auto report = [this](abi::MessageLevel level, const std::string& text) { emit_(message(level, text)); };
  launcher_ = std::make_unique<Launcher>(memory_, enclosure_, report);
  Warden::Hooks hooks;
  hooks.drain = [](uint64_t*) { return false; };
  hooks.outcome = [this](abi::Outcome outcome) { on_outcome(outcome); };
  hooks.group_ended = [this] { on_group_ended(); };
  hooks.report = report;
  warden_ = std::make_unique<Warden>(memory_, *launcher_, enclosure_, std::move(hooks));
  service_ = std::make_unique<Service>(memory_, blobs_, sites_, *warden_, nullptr, enclosure_,
                                       Service::Hooks{report, [](int, const std::string&) {}});

  guard_ = guard_for(isolation, &control);

  SpawnOptions spawn;
  if (isolation) spawn.user = isolation->user;
  if (isolation && isolation->mount) spawn.program = stub_path;
  spawn.argv = {options.stub_path, std::to_string(control.guest_fd)};
  spawn.memory_fd = memory_.fd();
  spawn.guest_fd = control.guest_fd;
  spawn.own_session = true;
  spawn.own_limits = false;
  std::optional<Namespaces> bound = isolation;
  if (bound) bound->binds.insert(bound->binds.end(), page_binds.begin(), page_binds.end());
  pid_ = launcher_->start(spawn, bound);
  if (verified.valid()) {
    try {
      verified.get();
    } catch (...) {
      ::kill(-pid_, SIGKILL);
      ::kill(pid_, SIGKILL);  // before it leads a group
      waitpid(pid_, nullptr, __WALL);
      throw;
    }
  }
  emit_({{"type", "started"}, {"pid", int(pid_)}});
  // Before this the stub's agent waits for the first event.
  auto on_end = [this](const Cut& cut) {
    {
      std::lock_guard lock(mutex_);
      cut_ = cut;
    }
    if (restore_ && cut.seq < restore_->seq())
      emit_(message(abi::kError, "the journal's valid part ends at event " + std::to_string(cut.seq) +
                                     ", before the checkpoint at " + std::to_string(restore_->seq())));
    Plain::Object event = cut_fields(cut);
    event.insert(event.begin(), {"type", "journalEnd"});
    emit_(std::move(event));
  };
  feeder_ = std::make_unique<Feeder>(memory_, options.journal_dir, on_end, options.from_seq);
  if (restore_)
    for (const checkpoint::BlobState& blob : restore_->group().blobs) feeder_->note_path(blob.sha, blob.path);
  warden_->watch_root(pid_);
  finisher_ = start_thread("us-finisher", [this] { finish(); });
}

ReplaySession::~ReplaySession() {
  if (finisher_.joinable()) {
    kill_all();
    finisher_.join();
  }
}

void ReplaySession::kill_all() {
  warden_->kill_group();
  // Replaying processes never leave the root's process group: setsid and setpgid are only replayed (but in a PID namespace, which
  // the warden kills as a whole). While the root is not reaped, the group's number cannot be another's.
  std::lock_guard lock(mutex_);
  if (pid_ > 0 && !reaped_) ::kill(-pid_, SIGKILL);
}

void ReplaySession::kill(int) {
  killed_ = true;
  kill_all();
}

Plain::List ReplaySession::stack(const uint64_t regs[18], pid_t pid, pid_t tid) {
  UnwindHelp help;
  help.root = enclosure_.root();
  help.original_address = [this](uint64_t address) { return service_->original_address(address); };
  help.module_name = [this](const std::string& path) {
    const size_t slash = path.rfind('/');
    return feeder_ == nullptr ? std::string()
                              : feeder_->recorded_path(slash == std::string::npos ? path : path.substr(slash + 1));
  };
  help.problem = [this](const std::string& text) { emit_(message(abi::kWarning, text)); };
  Plain::List out;
  for (const Frame& frame : unwind(pid, tid, regs, help)) {
    Plain::Object object{{"address", BigUnsigned{frame.address}}};
    if (!frame.module.empty()) {
      object.emplace_back("module", frame.module);
      object.emplace_back("moduleOffset", BigUnsigned{frame.module_offset});
    }
    if (!frame.symbol.empty()) {
      object.emplace_back("symbol", frame.symbol);
      object.emplace_back("symbolOffset", frame.symbol_offset);
    }
    if (!frame.source.empty()) {
      object.emplace_back("source", frame.source);
      object.emplace_back("line", frame.line);
    }
    out.emplace_back(std::move(object));
  }
  return out;
}

void ReplaySession::on_outcome(abi::Outcome outcome) {
  abi::Control& control = memory_.control();
  const abi::Divergence& d = control.divergence;
  const pid_t pid = enclosure_.host_pid(d.pid), tid = enclosure_.host_pid(d.tid);
  outcome_ = outcome;
  switch (outcome) {
    case abi::kRunning: return;
    case abi::kDiverged: {
      Plain::Object event = divergence_fields(d);
      event.emplace_back("stack", stack(d.regs, d.pid, d.tid));
      emit_(std::move(event));
    } break;
    case abi::kStopped:
      emit_({{"type", "stopped"},
             {"pid", pid},
             {"tid", tid},
             {"seq", d.seq},
             {"regs", big_list(d.regs)},
             {"stack", stack(d.regs, pid, tid)}});
      return;  // parked until kill()
    case abi::kAgentFault: emit_(message(abi::kError, "the agent failed: " + detail_of(d))); break;
    case abi::kEnded:
    case abi::kJournalEnd: break;
  }
  kill_all();
}

void ReplaySession::on_group_ended() {
  const uint32_t outcome = load_acquire(memory_.control().outcome);
  if (outcome != abi::kRunning && outcome_ == abi::kRunning) on_outcome(abi::Outcome(outcome));
  finish_soon();
}

void ReplaySession::finish() {
  wait_finish();
  abi::Control& control = memory_.control();
  const uint32_t code = load_acquire(control.outcome);
  const char* outcome = "fault";
  if (killed_ && code != abi::kEnded && code != abi::kStopped) outcome = "killed";
  else if (code == abi::kEnded) outcome = "ended";
  else if (code == abi::kDiverged) outcome = "diverged";
  else if (code == abi::kJournalEnd) outcome = "journalEnd";
  else if (code == abi::kStopped) outcome = "stopped";
  kill_all();
  std::optional<RootEnd> root;
  {
    std::lock_guard lock(mutex_);
    root = launcher_->reap_root();
    reaped_ = true;
  }
  if (code == abi::kRunning && !killed_) {
    std::string how = "disappeared";
    if (root && WIFSIGNALED(root->status)) how = "was killed by signal " + std::to_string(WTERMSIG(root->status));
    else if (root && WIFEXITED(root->status)) how = "exited with " + std::to_string(WEXITSTATUS(root->status));
    emit_(message(abi::kError, "the replaying process " + how + " without saying why, after event " +
                                   std::to_string(load_acquire(control.ring.tail_seq))));
  }
  const uint64_t bytes = feeder_->bytes_read();
  feeder_->stop();
  Cut cut;
  {
    std::lock_guard lock(mutex_);
    cut = cut_;
  }
  Plain::Object event{{"type", "ended"},
                      {"outcome", outcome},
                      {"status", control.exit_status},
                      {"events", load_acquire(control.ring.tail_seq)},
                      {"bytes", bytes},
                      {"wallMs", double(monotonic_ns() - started_ns_) / 1e6},
                      {"cut", cut_fields(cut)}};
  service_->stop();
  warden_->stop();
  launcher_->stop();
  enclosure_.close();
  emit_(std::move(event));
}

Plain::Object ReplaySession::stats() {
  return {{"events", load_acquire(memory_.control().ring.tail_seq)},
          {"bytes", feeder_->bytes_read()},
          {"totalBytes", feeder_->total_bytes()}};
}

}  // namespace understudy::host
