// See replica.h.
#include "pair/replica.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>

#include <filesystem>

#include "checkpoint/page_tracker.h"
#include "session_parts.h"

namespace understudy::host {

Replica::Replica(const ReplicaOptions& options, Hooks hooks)
    : hooks_(std::move(hooks)),
      segment_bytes_(options.segment_bytes),
      journal_dir_(std::filesystem::absolute(options.journal_dir)),
      agent_path_(options.agent_path),
      epoch_(options.epoch),
      memory_(abi::kModeReplay, options.agent_path, options.ring_bytes),
      blobs_(journal_dir_, options.cache_dir),
      sites_(options.cache_dir),
      writer_(journal_dir_, options.segment_bytes, options.epoch),
      feeder_(memory_, options.from_seq) {
  prepare_journal_dir(journal_dir_);
  if (options.durable) writer_.keep_durable();
  if (auto error = writer_.open_first(options.from_seq + 1))
    throw HostError("JOURNAL_DIR", error->error, error->path,
                    "cannot create " + error->path + ": " + errno_text(error->error));
  abi::Control& control = memory_.control();
  control.flags |= abi::kFlagShadow;
  control.quiet = 1;
  control.kick_after_ms = options.kick_after_ms;
  std::string shared;
  for (const std::string& path : options.shared_paths) shared += path + "\n";
  copy_path(control.shared_paths, shared);

  const std::string scratch_dir = std::filesystem::absolute(options.scratch_dir);
  const std::string stub_path = std::filesystem::absolute(options.stub_path);
  const std::optional<Namespaces> isolation = stage_replay(control, options.isolation, blobs_.blob_dir(), scratch_dir,
                                                           stub_path);

  std::optional<Namespaces> bound = isolation;
  if (options.from_seq != 0) {
    const bool staged = isolation && isolation->mount;
    std::vector<Bind> binds;
    restore_ = std::make_unique<checkpoint::Restore>(journal_dir_, options.from_seq);
    if (((restore_->group().flags & abi::kFlagPidNamespace) != 0) != (isolation && isolation->pid))
      throw HostError("CHECKPOINT_READ", EINVAL, journal_dir_,
                      "the checkpoint was taken of a program that had other process numbers than it would have here");
    restore_->prepare(memory_, blobs_, options.agent_path, staged ? scratch_dir + "/open" : scratch_dir,
                      staged ? &binds : nullptr);
    for (const std::string& text : restore_->warnings()) hooks_.message(abi::kWarning, "replica: " + text);
    for (const checkpoint::BlobState& blob : restore_->group().blobs) feeder_.note_path(blob.sha, blob.path);
    if (bound) bound->binds.insert(bound->binds.end(), binds.begin(), binds.end());
  }
  launcher_ = std::make_unique<Launcher>(memory_, enclosure_, hooks_.message);
  Warden::Hooks warden_hooks;
  warden_hooks.drain = [this](uint64_t* events) {
    if (pump_ == nullptr) return false;
    pump_->drain();
    *events = pump_->events();
    return !pump_->failed();
  };
  warden_hooks.outcome = [this](abi::Outcome outcome) { on_outcome(outcome); };
  warden_hooks.group_ended = [this] {
    over_ = true;
    feeder_.stop();
    hooks_.ended(memory_.control().exit_status, live_);
  };
  warden_hooks.killed = [this](bool root, int signal) {
    if (live_) return hooks_.killed && hooks_.killed(root, signal);
    if (over_.exchange(true)) return true;
    feeder_.stop();
    hooks_.diverged({{"detail", "a process of the replica was killed by signal " + std::to_string(signal)},
                     {"seq", load_acquire(memory_.control().ring.tail_seq)}});
    warden_->kill_group();
    return true;
  };
  warden_hooks.report = hooks_.message;
  warden_ = std::make_unique<Warden>(memory_, *launcher_, enclosure_, std::move(warden_hooks));
  service_ = std::make_unique<Service>(
      memory_, blobs_, sites_, *warden_, launcher_.get(), enclosure_,
      Service::Hooks{hooks_.message,
                     [this](int error, const std::string& path) {
                       if (pump_ != nullptr)
                         pump_->fail({false, {error, path}, "cannot write the journal: " + errno_text(error)});
                     },
                     hooks_.new_blob, hooks_.track});
  guard_ = guard_for(isolation, &control);

  output_ = UniqueFd(open(options.output_path.empty() ? "/dev/null" : options.output_path.c_str(),
                          O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640));
  if (!output_)
    throw HostError("LAUNCH", errno, options.output_path,
                    "cannot write the guest's output to " + options.output_path + ": " + errno_text(errno));
  SpawnOptions spawn;
  if (isolation) spawn.user = isolation->user;
  if (isolation && isolation->mount) spawn.program = stub_path;
  spawn.argv = {stub_path, std::to_string(control.guest_fd)};
  spawn.memory_fd = memory_.fd();
  spawn.guest_fd = control.guest_fd;
  spawn.own_session = !options.is_command;
  spawn.only_standard = true;
  spawn.output_fd = options.is_command ? -1 : output_.get();
  pid_ = launcher_->start(spawn, bound, [&] {
    if (restore_ != nullptr && isolation && isolation->mount)
      restore_->place_named(enclosure_.root(), scratch_dir + "/open");
  });
  warden_->watch_root(pid_);
}

Replica::~Replica() {
  over_ = true;
  feeder_.stop();
  warden_->kill_group();
  // The feeding thread is the caller's; what it does now returns at once.
  std::lock_guard lock(feed_mutex_);
  for (int i = 0; i < 5000 && warden_->processes() > 0; i++) usleep(1000);
  if (pump_ != nullptr) pump_->finish();
  service_->stop();
  warden_->stop();
  launcher_->stop();
  // A root that nobody has waited for keeps its number in the namespace, and the namespace's first process from ending. One that went
  // live has been reaped when it died. (Killed above: it is a zombie in moments.)
  for (int i = 0; i < 5000 && !launcher_->reap_root(); i++) usleep(1000);
  enclosure_.close();
}

void Replica::on_outcome(abi::Outcome outcome) {
  if (outcome == abi::kDiverged) hooks_.diverged(divergence_fields(memory_.control().divergence));
  if (outcome == abi::kAgentFault) {
    Plain::Object event = divergence_fields(memory_.control().divergence);
    event.emplace_back("fault", true);
    hooks_.diverged(std::move(event));
  }
  if (outcome != abi::kRunning) {
    over_ = true;
    feeder_.stop();
    warden_->kill_group();
  }
}

bool Replica::feed(uint64_t first_seq, uint64_t count, const uint8_t* events, size_t len) {
  std::lock_guard lock(feed_mutex_);
  if (over_ || live_) return false;
  // The replica can begin on them while they are written.
  if (!feeder_.publish(events, len)) return false;
  if (auto error = writer_.append(first_seq, count, events, len)) {
    hooks_.journal_failed({false, *error, "cannot write the journal: " + errno_text(error->error)});
    return false;
  }
  return true;
}

SegmentWriter::Current Replica::segment() {
  std::lock_guard lock(feed_mutex_);
  return writer_.current();
}

std::string Replica::drain(int timeout_ms) {
  abi::Control& control = memory_.control();
  {
    std::lock_guard lock(feed_mutex_);
    __atomic_store_n(&control.pair.live, uint32_t(abi::kLiveDrain), __ATOMIC_SEQ_CST);
    feeder_.close();
  }
  // Threads that spin or compute at the journal's end must be interrupted, too.
  service_->start_kicker();
  const uint64_t until = monotonic_ns() + uint64_t(timeout_ms) * 1000000;
  for (;;) {
    const uint32_t state = load_acquire(control.pair.live);
    if (state == abi::kLiveDrained) return "";
    if (over_) {
      const uint32_t outcome = load_acquire(control.outcome);
      return outcome == abi::kDiverged || outcome == abi::kAgentFault
                 ? "the replica left the journal: " + detail_of(control.divergence)
                 : "the guest has ended";
    }
    if (monotonic_ns() > until)
      return "the replica did not come to a stand: " + std::to_string(load_acquire(control.pair.drained)) + " of " +
             std::to_string(load_acquire(control.live_threads)) + " threads, " +
             std::to_string(control.ring.head - load_acquire(control.ring.tail)) + " bytes of events left";
    futex_wait(&control.pair.live, state, 20);
  }
}

std::optional<IoError> Replica::go_live(uint64_t epoch, int64_t mono_offset_ns) {
  abi::Control& control = memory_.control();
  control.pair.clock_offset_ns[1] = mono_offset_ns;
  const uint64_t before = feeder_.published();
  if (auto error = writer_.begin_epoch(before + 1, epoch)) return error;
  store_release(control.ring.closed, 0u);
  pump_ = std::make_unique<Pump>(
      memory_, writer_, [this](const PumpFailure& failure) { hooks_.journal_failed(failure); }, Pump::Tap{}, before,
      Pump::WithoutFile::GoesOn);
  // Joined by their own requests in a recording; here they have been there all the time.
  for (int i = 0; i < abi::kMaxProcesses; i++) {
    const abi::ProcessSlot& slot = control.processes[i];
    if (load_acquire(slot.state) == abi::kThreadLive && slot.pid > 0) warden_->join(slot.pid, uint32_t(i));
  }
  live_ = true;
  epoch_ = epoch;
  control.flags |= abi::kFlagPair;
  std::string cannot_track;
  if (checkpoint::PageTracker::supported(&cannot_track)) control.flags |= abi::kFlagTrack;
  __atomic_store_n(&control.pair.held, ~0ull, __ATOMIC_SEQ_CST);
  __atomic_store_n(&control.pair.live, uint32_t(abi::kLiveOn), __ATOMIC_SEQ_CST);
  futex_wake_all(&control.pair.live);
  return std::nullopt;
}

void Replica::kill() {
  over_ = true;
  warden_->kill_group();
}

bool Replica::is_restored() const {
  return restore_ == nullptr || load_acquire(memory_.control().restored) >= uint32_t(restore_->group().threads.size());
}

uint64_t Replica::shadow_cookie(uint64_t cookie) const {
  if (restore_ == nullptr || !restore_->kernel()) return 0;
  const checkpoint::KernelObjects& objects = *restore_->kernel();
  for (const checkpoint::Descriptor& d : objects.descriptors) {
    const checkpoint::OpenFile& file = objects.files[d.file];
    if (file.kind != checkpoint::OpenFile::kInet || objects.inet_sockets[size_t(file.object)].cookie != cookie)
      continue;
    const UniqueFd shadow = descriptor(d.pid, d.fd);
    uint64_t own = 0;
    socklen_t length = sizeof own;
    if (shadow && getsockopt(shadow.get(), SOL_SOCKET, SO_COOKIE, &own, &length) == 0) return own;
  }
  return 0;
}

UniqueFd Replica::descriptor(int64_t pid, int32_t fd) const {
  for (const checkpoint::ProcessState& p : restore_->group().processes) {
    if (p.pid != pid || p.ended) continue;
    const int32_t inside = load_acquire(memory_.control().processes[p.slot].pid);
    return checkpoint::take_descriptor(enclosure_.host_pid(inside), fd);
  }
  errno = ESRCH;
  return {};
}

std::vector<pid_t> Replica::pids() const {
  abi::Control& control = memory_.control();
  std::vector<pid_t> out;
  for (const abi::ProcessSlot& slot : control.processes) {
    if (load_acquire(slot.state) != abi::kThreadLive || slot.pid <= 0) continue;
    const pid_t host = enclosure_.host_pid(slot.pid);
    if (host > 0) out.push_back(host);
  }
  return out;
}

}  // namespace understudy::host
