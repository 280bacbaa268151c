// See warden.h.
#include "warden.h"

#include <linux/types.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <vector>

#include "msgpack.h"

namespace understudy::host {
namespace {

constexpr int64_t kEventKilled = -10, kEventEnd = -11;
constexpr uint32_t kHostBaton = 0x7fffffff, kStealable = 0x80000000;
constexpr int kKillRetryMs = 20, kStrangerPollMs = 5, kStrangerWaitMs = 2000;
constexpr int kBatonWaitMs = 5, kWaitsBeforeKick = 2;
constexpr uint64_t kPausePatienceNs = 100'000, kPauseKickNs = 2'000'000;

int pidfd_open(pid_t pid) { return int(syscall(SYS_pidfd_open, pid, 0)); }
int pidfd_send_signal(int fd, int signal) { return int(syscall(SYS_pidfd_send_signal, fd, signal, nullptr, 0)); }

// How a process that is not the host's child died: Linux 6.15 keeps the status with the pidfd. Before that: only SIGKILL
// ends a process without the agent's knowledge (the kernel's out-of-memory killer included), so that is the answer.
int death_signal(int pidfd) {
  struct {
    uint64_t mask, cgroup;
    uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid;
    int32_t exit_code;
  } info{};
  constexpr uint64_t kInfoExit = 1 << 3;
  static_assert(sizeof info == 64, "the size of the first version, which later kernels accept");
  info.mask = kInfoExit;
  if (ioctl(pidfd, _IOWR(0xff, 11, info), &info) == 0 && (info.mask & kInfoExit) != 0 && WIFSIGNALED(info.exit_code))
    return WTERMSIG(info.exit_code);
  return SIGKILL;
}

}  // namespace

Warden::Warden(MemoryFile& memory, Launcher& launcher, const Enclosure& enclosure, Hooks hooks)
    : memory_(memory),
      launcher_(launcher),
      enclosure_(enclosure),
      hooks_(std::move(hooks)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_) throw HostError("LAUNCH", errno, "", "cannot create an eventfd: " + errno_text(errno));
  thread_ = start_thread("us-warden", [this] { run(); });
  outcome_thread_ = start_thread("us-outcome", [this] { run_outcome_watch(); });
}

Warden::~Warden() { stop(); }

void Warden::stop() {
  if (!thread_.joinable()) return;
  store_release(stopping_, 1u);
  eventfd_write(wake_.get(), 1);
  futex_wake_all(&memory_.control().outcome);
  thread_.join();
  outcome_thread_.join();
}

void Warden::watch_root(pid_t pid) {
  std::lock_guard lock(mutex_);
  root_ = pid;
  root_known_ = true;
  // The root cannot be reaped before this, so the pid is its.
  bool joined = std::any_of(members_.begin(), members_.end(), [&](const Member& m) { return m.pid == pid; });
  if (!joined) members_.push_back({UniqueFd(pidfd_open(pid)), pid, enclosure_.inside_pid(pid), -1});
  eventfd_write(wake_.get(), 1);
}

int Warden::join(pid_t inside, uint32_t slot) {
  if (slot >= abi::kMaxProcesses) return -EINVAL;
  std::lock_guard lock(mutex_);
  for (Member& member : members_) {
    if (member.inside == inside) {
      member.slot = int(slot);
      return 0;
    }
  }
  if (!add_locked(inside, int(slot))) return -ESRCH;
  eventfd_write(wake_.get(), 1);
  return 0;
}

bool Warden::add_locked(pid_t inside, int slot) {
  const pid_t pid = enclosure_.host_pid(inside);
  UniqueFd fd(pid > 0 ? pidfd_open(pid) : -1);
  // Between the two lines it may have been reaped and its number given to another.
  if (!fd || enclosure_.inside_pid(pid) != inside) return false;
  members_.push_back({std::move(fd), pid, inside, slot});
  if (killing_) pidfd_send_signal(members_.back().pidfd.get(), SIGKILL);
  return true;
}

uint32_t Warden::processes() const {
  std::lock_guard lock(mutex_);
  return uint32_t(members_.size());
}

void Warden::kill_all_locked() {
  for (const Member& member : members_) pidfd_send_signal(member.pidfd.get(), SIGKILL);
  // Also those that nobody has heard of yet.
  enclosure_.kill_all();
}

void Warden::kill_group() {
  std::lock_guard lock(mutex_);
  killing_ = true;
  kill_all_locked();
  eventfd_write(wake_.get(), 1);
}

int Warden::signal_root(int signal) {
  std::lock_guard lock(mutex_);
  for (const Member& member : members_) {
    if (member.pid == root_) return pidfd_send_signal(member.pidfd.get(), signal) == 0 ? 0 : -errno;
  }
  // A daemon's root process has ended; what it left behind is what the user means.
  for (const Member& member : members_) pidfd_send_signal(member.pidfd.get(), signal);
  return members_.empty() ? -ESRCH : 0;
}

void Warden::run_outcome_watch() {
  const uint32_t* word = &memory_.control().outcome;
  uint32_t seen = abi::kRunning;
  while (load_acquire(stopping_) == 0) {
    const uint32_t now = load_acquire(*word);
    if (now != seen) {
      seen = now;
      eventfd_write(wake_.get(), 1);
    }
    // The limit only covers a wake-up that came between the check of stopping_ and the wait.
    futex_wait(word, now, 500);
  }
}

void Warden::run() {
  uint32_t outcome_seen = abi::kRunning;
  bool ended = false;
  while (load_acquire(stopping_) == 0) {
    poll_once();
    const uint32_t outcome = load_acquire(memory_.control().outcome);
    if (outcome != outcome_seen) {
      outcome_seen = outcome;
      if (outcome != abi::kRunning) hooks_.outcome(abi::Outcome(outcome));
    }
    bool empty;
    {
      std::lock_guard lock(mutex_);
      empty = root_known_ && members_.empty();
    }
    if (empty && !ended && group_is_over()) {
      ended = true;
      if (memory_.control().mode == abi::kModeRecord && !unrecorded_) append_end();
      hooks_.group_ended();
    }
  }
}

void Warden::poll_once() {
  std::vector<pollfd> fds;
  bool killing;
  {
    std::lock_guard lock(mutex_);
    killing = killing_ && !members_.empty();
    fds.push_back({wake_.get(), POLLIN, 0});
    // Members are only removed on this thread, so the order stays that of fds.
    for (const Member& member : members_) fds.push_back({member.pidfd.get(), POLLIN, 0});
  }
  int ready = poll(fds.data(), fds.size(), killing ? kKillRetryMs : -1);
  if (ready < 0) return;
  if ((fds[0].revents & POLLIN) != 0) {
    eventfd_t value;
    eventfd_read(wake_.get(), &value);
  }
  std::vector<Member> dead;
  {
    std::lock_guard lock(mutex_);
    for (size_t i = fds.size(); i-- > 1;) {
      if (fds[i].revents == 0) continue;
      dead.push_back(std::move(members_[i - 1]));
      members_.erase(members_.begin() + ptrdiff_t(i) - 1);
    }
    if (killing_) kill_all_locked();
  }
  if (dead.empty()) return;
  // A child that was forked just before its parent died is in Control but may not have asked to be watched.
  adopt_strangers();
  for (Member& member : dead) on_death(member);
}

// Nobody is watched any more. A child that was forked just before its parent ended may not have said yet who it is: its thread slot is
// live already. A child that was killed at that very moment never will, so there is an end to waiting.
bool Warden::group_is_over() {
  abi::Control& control = memory_.control();
  for (int waited_ms = 0;; waited_ms += kStrangerPollMs) {
    adopt_strangers();
    {
      std::lock_guard lock(mutex_);
      if (!root_known_ || !members_.empty()) return false;
    }
    bool expected = false;
    for (const abi::ThreadSlot& slot : control.threads)
      expected |= load_acquire(slot.state) == abi::kThreadLive && !is_of_dead(slot);
    for (const abi::ProcessSlot& slot : control.processes)
      expected |= load_acquire(slot.state) == abi::kThreadLive && slot.dead == 0;
    if (control.mode == abi::kModeReplay) {
      // There a forked child marks its slot itself, but its parent has counted it. With an outcome nobody is waited for.
      expected = load_acquire(control.outcome) == abi::kRunning && load_acquire(control.live_threads) > 0;
    }
    if (!expected || waited_ms >= kStrangerWaitMs || load_acquire(stopping_) != 0) return true;
    usleep(kStrangerPollMs * 1000);
  }
}

// Nobody clears the slots of a process whose end is not recorded.
bool Warden::is_of_dead(const abi::ThreadSlot& thread) const {
  const auto& all = memory_.control().processes;
  return std::any_of(std::begin(all), std::end(all), [&](const abi::ProcessSlot& p) {
    return p.dead != 0 && p.pid == thread.pid && load_acquire(p.state) == abi::kThreadLive;
  });
}

// Those that nobody has told of yet. One that is not there any more although it should be was killed, and reaped by its parent, before
// it could say a word.
void Warden::adopt_strangers() {
  abi::Control& control = memory_.control();
  std::vector<std::pair<int, pid_t>> lost;
  std::unique_lock lock(mutex_);
  for (int i = 0; i < abi::kMaxProcesses; i++) {
    const abi::ProcessSlot& slot = control.processes[i];
    const pid_t inside = slot.pid;
    if (load_acquire(slot.state) != abi::kThreadLive || inside <= 0 || slot.dead != 0) continue;
    if (std::any_of(members_.begin(), members_.end(), [&](const Member& m) { return m.inside == inside; })) continue;
    if (add_locked(inside, i) || control.mode != abi::kModeRecord) continue;
    // If it had ended by itself, it would have said so before.
    if (load_acquire(slot.state) == abi::kThreadLive && slot.pid == inside) lost.emplace_back(i, inside);
  }
  lock.unlock();
  for (const auto& [slot, inside] : lost) {
    store_release(control.processes[slot].dead, 1u);
    record_death(slot, inside, false, SIGKILL);
  }
}

void Warden::on_death(Member& member) {
  abi::Control& control = memory_.control();
  int signal = 0;
  // In a replay the session reaps the root when everything is over: until then its number stands for the replay's process group.
  if (member.pid == root_ && control.mode == abi::kModeRecord) {
    // A zombie now. The launcher's thread may be the one to have seen it.
    for (int i = 0; i < 1000; i++) {
      if (auto end = launcher_.reap_root()) {
        control.exit_status = end->status;
        if (WIFSIGNALED(end->status)) signal = WTERMSIG(end->status);
        break;
      }
      usleep(1000);
    }
  } else {
    signal = death_signal(member.pidfd.get());
  }
  int slot_index = member.slot;
  for (int i = 0; slot_index < 0 && i < abi::kMaxProcesses; i++) {
    if (control.processes[i].pid == member.inside && load_acquire(control.processes[i].state) != abi::kThreadFree)
      slot_index = i;
  }
  if (slot_index < 0) return;
  abi::ProcessSlot& slot = control.processes[slot_index];
  // Slots are given again: this one may be another process's by now.
  if (slot.pid != member.inside) return;
  store_release(slot.dead, 1u);
  record_death(slot_index, member.inside, member.pid == root_, signal != 0 ? signal : SIGKILL);
}

// Its slot says that it lives, but it is dead: it was killed.
void Warden::record_death(int slot_index, pid_t inside, bool is_root, int signal) {
  abi::Control& control = memory_.control();
  if (load_acquire(control.processes[slot_index].state) != abi::kThreadLive) return;
  if (control.mode != abi::kModeRecord) {
    if (hooks_.killed && load_acquire(control.outcome) == abi::kRunning &&
        load_acquire(control.pair.live) == abi::kLiveFollow)
      hooks_.killed(is_root, signal);
    return;
  }
  if (hooks_.killed && !unrecorded_ && hooks_.killed(is_root, signal)) unrecorded_ = true;
  std::lock_guard lock(baton_mutex_);
  if (unrecorded_ || !take_baton(inside)) return;
  append_killed(uint32_t(slot_index), signal);
  release_baton();
}

char Warden::state_of(const abi::ThreadSlot& thread) const {
  const pid_t pid = enclosure_.host_pid(thread.pid), tid = enclosure_.host_pid(thread.tid);
  std::string text;
  if (pid <= 0 || tid <= 0 ||
      !read_file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(tid) + "/stat", &text))
    return 0;
  const size_t at = text.rfind(')');
  return at != std::string::npos && at + 2 < text.size() ? text[at + 2] : char(0);
}

// Whether a thread that lent the baton waits in its call. As agents do: one that only lacks a processor may have its data out already, and
// another's event must not be journalled before.
bool Warden::waits_in_call(const abi::ThreadSlot& thread) const {
  const char state = state_of(thread);
  return state != 'R' && state != 'D';
}

void Warden::kick(const abi::ThreadSlot& thread) const {
  siginfo_t info{};
  info.si_signo = SIGSYS;
  info.si_code = SI_QUEUE;
  info.si_pid = getpid();
  info.si_uid = getuid();
  info.si_value.sival_ptr = reinterpret_cast<void*>(abi::kKickMagic);
  const pid_t pid = enclosure_.host_pid(thread.pid), tid = enclosure_.host_pid(thread.tid);
  if (pid > 0 && tid > 0) syscall(SYS_rt_tgsigqueueinfo, pid, tid, SIGSYS, &info);
}

bool Warden::pause(uint64_t timeout_ns, const std::atomic<bool>& given_up, const Freezer& freezer) {
  abi::Control& control = memory_.control();
  // Until its first event the agent makes the baton what it is.
  if (load_acquire(control.ring.head_seq) == 0) return false;
  const uint64_t until = monotonic_ns() + timeout_ns;
  baton_mutex_.lock();
  frozen_ = false;
  // With others in the group a thread lets go of the baton when it enters a call that may block: it must think that there are.
  __atomic_fetch_add(&control.live_threads, 1, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&control.baton_waiters, 1, __ATOMIC_SEQ_CST);
  bool have = false;
  uint64_t since = monotonic_ns(), kicked = 0, events = 0;
  for (uint32_t before = 0; !have && load_acquire(stopping_) == 0 && !given_up;) {
    uint32_t holder = load_acquire(control.baton);
    if (holder == 0) {
      have = __atomic_compare_exchange_n(&control.baton, &holder, kHostBaton, false, __ATOMIC_SEQ_CST,
                                         __ATOMIC_RELAXED);
      continue;
    }
    const uint64_t now = monotonic_ns();
    const abi::ThreadSlot& thread = control.threads[(holder & ~kStealable) % abi::kMaxThreads];
    // Whoever is dead gives nothing back: the warden has to deal with that first.
    if (now > until || control.processes[thread.process % abi::kMaxProcesses].dead != 0) break;
    if (holder != before || load_acquire(thread.events) != events) {
      before = holder;
      events = load_acquire(thread.events);
      since = now;
    }
    if (now - since < kPausePatienceNs) {
      __builtin_ia32_pause();
      continue;
    }
    const bool waits = waits_in_call(thread);
    if ((holder & kStealable) != 0) {
      if (waits)
        have = __atomic_compare_exchange_n(&control.baton, &holder, kHostBaton, false, __ATOMIC_SEQ_CST,
                                           __ATOMIC_RELAXED);
    } else if (waits && load_acquire(control.rpc.state) == abi::kRpcIdle) {
      const pid_t tid = enclosure_.host_pid(thread.tid);
      have = frozen_ = freezer.freeze(tid);
      // It may have let go of the baton just before.
      if (frozen_ && load_acquire(control.baton) != holder) {
        freezer.thaw(tid);
        have = frozen_ = false;
      }
    } else if (now - kicked > kPauseKickNs && now - since > uint64_t(control.kick_after_ms) * 1'000'000) {
      // It computes: it gives way at a position that replay finds.
      kick(thread);
      kicked = now;
    }
    if (!have) futex_wait(&control.baton, holder, 1);
  }
  __atomic_fetch_sub(&control.baton_waiters, 1, __ATOMIC_SEQ_CST);
  if (have) return true;
  __atomic_fetch_sub(&control.live_threads, 1, __ATOMIC_SEQ_CST);
  baton_mutex_.unlock();
  return false;
}

void Warden::resume() {
  if (!frozen_) release_baton();
  __atomic_fetch_sub(&memory_.control().live_threads, 1, __ATOMIC_SEQ_CST);
  baton_mutex_.unlock();
}

// The baton as the host. Nothing it is held by can be waited for when the holder is among the dead.
bool Warden::take_baton(pid_t dead_inside) {
  abi::Control& control = memory_.control();
  // Who holds it finds out at its next event that somebody waits, and lets go then.
  __atomic_fetch_add(&control.baton_waiters, 1, __ATOMIC_SEQ_CST);
  bool have = false;
  for (int waits = 0; !have && load_acquire(stopping_) == 0;) {
    uint32_t holder = load_acquire(control.baton);
    bool may_take = holder == 0;
    if (!may_take) {
      const abi::ThreadSlot& thread = control.threads[(holder & ~kStealable) % abi::kMaxThreads];
      may_take = thread.pid == dead_inside || control.processes[thread.process % abi::kMaxProcesses].dead != 0 ||
                 ((holder & kStealable) != 0 && waits_in_call(thread));
    }
    if (may_take) {
      have = __atomic_compare_exchange_n(&control.baton, &holder, kHostBaton, false, __ATOMIC_SEQ_CST,
                                         __ATOMIC_RELAXED);
      continue;
    }
    // Others that die while this waits are dead too, though not processed yet.
    {
      std::lock_guard lock(mutex_);
      for (const Member& other : members_) {
        pollfd fd{other.pidfd.get(), POLLIN, 0};
        if (other.slot >= 0 && poll(&fd, 1, 0) == 1) store_release(control.processes[other.slot].dead, 1u);
      }
    }
    const bool lent = (holder & kStealable) != 0;
    if (++waits > kWaitsBeforeKick && !lent) ask_for_kick(holder);
    futex_wait(&control.baton, holder, lent ? 1 : kBatonWaitMs);
  }
  __atomic_fetch_sub(&control.baton_waiters, 1, __ATOMIC_SEQ_CST);
  if (!have) return false;
  // A request of the dead that nobody will take back.
  abi::Rpc& rpc = control.rpc;
  for (int i = 0; i < 5000 && load_acquire(rpc.state) == abi::kRpcRequest; i++) usleep(1000);
  if (load_acquire(rpc.state) == abi::kRpcDone) store_release(rpc.state, uint32_t(abi::kRpcIdle));
  return true;
}

// As the agents do when they wait for long: a thread that only computes makes no event at which it could let go.
void Warden::ask_for_kick(uint32_t holder) {
  abi::Control& control = memory_.control();
  abi::ThreadSlot& slot = control.threads[holder % abi::kMaxThreads];
  if (load_acquire(slot.attention) != 0) return;
  slot.attention_seq = load_acquire(slot.events);
  if (__atomic_exchange_n(&slot.attention, 1, __ATOMIC_SEQ_CST) == 0) {
    __atomic_fetch_add(&control.attention, 1, __ATOMIC_SEQ_CST);
    futex_wake_all(&control.attention);
  }
}

void Warden::release_baton() {
  abi::Control& control = memory_.control();
  __atomic_store_n(&control.baton, 0, __ATOMIC_SEQ_CST);
  futex_wake_all(&control.baton);
}

void Warden::append(const uint8_t* event, size_t len, uint64_t events_before) {
  abi::Ring& ring = memory_.control().ring;
  const uint64_t head = ring.head;
  memcpy(memory_.ring() + (head & (memory_.ring_size() - 1)), event, len);
  // A process that died inside an append may have counted an event that it never published.
  store_release(ring.head_seq, events_before + 1);
  store_release(ring.head, head + len);
}

void Warden::append_killed(uint32_t slot_index, int signal) {
  abi::Control& control = memory_.control();
  uint64_t events = 0;
  // Drained: there is room in the ring, and the pump's count is the true one.
  if (hooks_.drain(&events)) {
    MsgpackWriter event;
    event.array(3).signed_int(kEventKilled).unsigned_int(slot_index).unsigned_int(uint64_t(signal));
    append(event.data(), event.size(), events);
  }
  for (abi::ThreadSlot& thread : control.threads) {
    if (thread.process != slot_index || load_acquire(thread.state) != abi::kThreadLive) continue;
    if (__atomic_exchange_n(&thread.attention, 0, __ATOMIC_SEQ_CST) == 1)
      __atomic_fetch_sub(&control.attention, 1, __ATOMIC_SEQ_CST);
    store_release(thread.state, uint32_t(abi::kThreadKilled));
    __atomic_fetch_sub(&control.live_threads, 1, __ATOMIC_SEQ_CST);
  }
  store_release(control.processes[slot_index].state, uint32_t(abi::kThreadKilled));
}

void Warden::append_end() {
  uint64_t events = 0;
  if (!hooks_.drain(&events)) return;
  MsgpackWriter event;
  // As the schema's other statuses: unsigned, wait4 encoding.
  event.array(2).signed_int(kEventEnd).unsigned_int(uint32_t(memory_.control().exit_status));
  append(event.data(), event.size(), events);
}

}  // namespace understudy::host
