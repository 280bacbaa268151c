// See checkpointer.h.
#include "checkpointer.h"

#include <fcntl.h>
#include <linux/kcmp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <filesystem>

#include "checkpointer_parts.h"
#include "descriptor_plan.h"
#include "sha256.h"
#include "state_chain.h"
#include "state_dir.h"

namespace understudy::host::checkpoint {
namespace {

constexpr uint64_t kPauseTimeoutNs = 500'000'000, kGiveUpNs = 5'000'000'000;
// How long new processes are copied ahead before the rest of them is copied while everybody waits; how soon it is tried again otherwise.
constexpr uint64_t kNewAheadNs = 3'000'000'000;
constexpr int kNewsMax = 3;
// How long a description for replicas is tried for where a checkpoint without one is better than none.
constexpr uint64_t kSettleNs = 1'000'000'000;
constexpr unsigned kRetryUs = 300;
// A busy guest may not be held for long: what it has written to since it was copied has to be copied while it is held.
constexpr uint64_t kAheadAgainNs = 30'000'000;
constexpr size_t kBufferBytes = 4 << 20;
// A restore opens all files that a checkpoint builds upon, and the newest pages of each are spread over them.
constexpr uint32_t kIncrementsMax = 16;
// Where the agent's signal handlers run in a thread's block (agent/src/thread.h).
constexpr uint64_t kHandlerStack = 64 << 10, kHandlerStackBytes = 48 << 10;

[[noreturn]] void unreadable(pid_t pid, int error) {
  throw HostError("CHECKPOINT_BUSY", error, "",
                  "cannot read process " + std::to_string(pid) + ": " + errno_text(error));
}

// Not prlimit(2), which of another user's process needs more privileges than everything else here.
uint64_t stack_limit_of(pid_t pid) {
  std::string limits;
  if (!read_file("/proc/" + std::to_string(pid) + "/limits", &limits)) unreadable(pid, errno);
  static const std::string kLine = "\nMax stack size";
  const size_t at = limits.find(kLine);
  if (at == std::string::npos) unreadable(pid, EINVAL);
  const char* value = limits.c_str() + at + kLine.size();
  while (*value == ' ') value++;
  return *value == 'u' ? ~0ull : strtoull(value, nullptr, 10);
}

// Detaches and lets go also when something is thrown.
class Standstill {
 public:
  Standstill(Warden& warden, Tracer& tracer, const abi::Entry& entry, const std::atomic<bool>& cancelled)
      : warden_(warden), tracer_(tracer), entry_(entry), cancelled_(cancelled) {}
  ~Standstill() { end(); }
  bool begin() {
    paused_ = warden_.pause(
        kPauseTimeoutNs, cancelled_,
        {[&](pid_t tid) { return tracer_.freeze(tid, entry_); }, [&](pid_t tid) { tracer_.detach(tid); }});
    since_ = monotonic_ns();
    if (!paused_) tracer_.detach_all();
    return paused_;
  }
  void end() {
    if (!paused_) return;
    // Before they may go on: the first thing that one of them does may be an execve, for which it is traced by the launcher.
    tracer_.detach_all();
    warden_.resume();
    paused_ = false;
    lasted_ = monotonic_ns() - since_;
  }
  uint64_t lasted_ns() const { return lasted_; }

 private:
  Warden& warden_;
  Tracer& tracer_;
  const abi::Entry& entry_;
  const std::atomic<bool>& cancelled_;
  bool paused_ = false;
  uint64_t since_ = 0, lasted_ = 0;
};

}  // namespace

Checkpointer::Checkpointer(MemoryFile& memory, Warden& warden, Pump& pump, BlobStore& blobs, const Enclosure& enclosure,
                           std::string journal_dir, std::string agent_path, uint64_t epoch, uint32_t keep)
    : memory_(memory),
      warden_(warden),
      pump_(pump),
      blobs_(blobs),
      enclosure_(enclosure),
      journal_dir_(std::move(journal_dir)),
      agent_path_(std::move(agent_path)),
      epoch_(epoch),
      keep_(keep),
      buffer_(kBufferBytes) {}

uint32_t Checkpointer::space_of(const std::string& key) {
  return spaces_.try_emplace(key, uint32_t(spaces_.size() + 1)).first->second;
}

std::optional<CheckpointRef> Checkpointer::base() const {
  // Removed by somebody meanwhile: then a complete one is due.
  return last_ && access(state_path(journal_dir_, last_->seq).c_str(), R_OK) == 0 ? last_ : std::nullopt;
}

bool Checkpointer::find_members(std::vector<Member>* members) const {
  abi::Control& control = memory_.control();
  for (const abi::ThreadSlot& thread : control.threads) {
    if (load_acquire(thread.state) != abi::kThreadLive) continue;
    const abi::ProcessSlot& process = control.processes[thread.process];
    if (thread.resume > abi::kResumeSpawn || thread.vforked != 0 || process.dead != 0 || process.dying != 0)
      return false;
    auto found = std::find_if(members->begin(), members->end(),
                              [&](const Member& m) { return m.slot == thread.process; });
    if (found == members->end()) {
      const pid_t pid = enclosure_.host_pid(thread.pid);
      if (pid <= 0) return false;
      found = members->insert(members->end(), {thread.process, pid, {}, {}});
    }
    found->threads.push_back(&thread);
  }
  return !members->empty();
}

// Stops all of them at once, and then waits for each.
bool Checkpointer::read_threads(const std::vector<Member>& members, bool last_try, GroupState* group) {
  for (const Member& member : members)
    for (const abi::ThreadSlot* thread : member.threads)
      if (int error = tracer_.attach(enclosure_.host_pid(thread->tid))) {
        // It ends, or the launcher has not let go of it yet.
        if (error == ESRCH || (error == EPERM && !last_try)) return false;
        throw HostError("CHECKPOINT_BUSY", error, "",
                        "cannot stop thread " + std::to_string(thread->tid) + " with ptrace: " + errno_text(error) +
                            "; a debugger may have it");
      }
  for (const Member& member : members)
    for (const abi::ThreadSlot* thread : member.threads) {
      const pid_t tid = enclosure_.host_pid(thread->tid);
      ThreadRegisters at;
      if (!tracer_.wait(tid) || !tracer_.registers(tid, &at)) return false;
      // In the agent's signal handler the kernel has put the floating-point registers aside.
      const uint64_t handlers = thread->block + kHandlerStack;
      if (at.rsp - handlers < kHandlerStackBytes) return false;
      if (settle_ && !is_settled(member, *thread, at)) return false;
      ThreadState& state = group->threads.emplace_back();
      state.gtid = thread->gtid;
      state.process = member.slot;
      state.tid = thread->tid;
      state.resume = thread->resume;
      state.events = thread->events;
      state.block = thread->block;
      state.fs_base = at.fs_base;
      state.xsave = std::move(at.xsave);
    }
  return true;
}

std::string Checkpointer::emits_of(pid_t pid) const {
  std::string emits;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd", error)) {
    const unsigned long fd = strtoul(entry.path().filename().c_str(), nullptr, 10);
    if (fd >= 1024 || int32_t(fd) == memory_.control().guest_fd) continue;
    for (unsigned long own : {fd == 2 ? 2ul : 1ul, fd == 2 ? 1ul : 2ul}) {
      if (syscall(SYS_kcmp, getpid(), pid, KCMP_FILE, own, fd) != 0) continue;
      if (emits.size() <= fd) emits.resize(fd + 1, '\0');
      emits[fd] = char(own);
      break;
    }
  }
  return emits;
}

void Checkpointer::read_agent_data(const Member& member, GroupState* group) {
  const abi::Entry& entry = memory_.control().entry;
  const ProcessMemory memory(member.pid);
  ProcessState& state = group->processes.emplace_back();
  state.slot = member.slot;
  state.pid = member.threads.front()->pid;
  state.process_block = member.threads.front()->process_block;
  state.kept.resize(entry.kept_end - entry.kept_begin);
  if (!memory.read_all(entry.kept_begin, state.kept.data(), state.kept.size())) unreadable(member.pid, errno);
  std::set<uint64_t> blocks;
  for (const abi::ThreadSlot* thread : member.threads) blocks.insert(thread->block);
  blocks.insert(abi::kThreadsAddr + (state.process_block - abi::kThreadsAddr) / abi::kThreadBlock * abi::kThreadBlock);
  for (uint64_t address : blocks) {
    BlockState& block = group->blocks.emplace_back();
    block.process = member.slot;
    block.address = address;
    block.bytes.resize(abi::kThreadBytes);
    if (!memory.read_all(address, block.bytes.data(), block.bytes.size())) unreadable(member.pid, errno);
  }
  state.stack_limit = stack_limit_of(member.pid);
  state.fd_emit = emits_of(member.pid);
  if (enclosure_.has_pids()) read_family(member.pid, &state);
}

// With a namespace for pids the replay has the same family.
void Checkpointer::read_family(pid_t pid, ProcessState* state) const {
  std::string stat;
  if (!read_file("/proc/" + std::to_string(pid) + "/stat", &stat)) unreadable(pid, errno);
  // "pid (name) state ppid pgrp session … exit-status": the name may hold anything.
  int parent = 0, group = 0, session = 0;
  const size_t at = stat.rfind(')');
  if (at == std::string::npos || sscanf(stat.c_str() + at + 1, " %*c %d %d %d", &parent, &group, &session) != 3)
    unreadable(pid, EINVAL);
  auto inside = [&](int number) { return number > 0 ? std::max(enclosure_.inside_pid(number), 0) : 0; };
  state->parent = inside(parent);
  state->group = inside(group);
  state->session = inside(session);
  if (state->ended) state->end_status = uint32_t(strtoul(stat.c_str() + stat.rfind(' '), nullptr, 10));
}

// Children that nobody has waited for yet, as the journal has it: the kernel may be ahead of it by a call.
void Checkpointer::find_ended(const std::vector<Member>& members, GroupState* group) const {
  constexpr uint64_t kWait4 = 61, kWaitid = 247;
  const abi::Control& control = memory_.control();
  for (uint32_t slot = 0; slot < abi::kMaxProcesses; slot++) {
    const abi::ProcessSlot& process = control.processes[slot];
    if (load_acquire(process.state) <= abi::kThreadLive || process.pid <= 0 || process.waited != 0) continue;
    auto parent = std::find_if(members.begin(), members.end(),
                               [&](const Member& m) { return m.slot == process.parent; });
    const bool known = std::any_of(members.begin(), members.end(),
                                   [&](const Member& m) { return m.threads.front()->pid == process.pid; });
    if (parent == members.end() || known) continue;
    const pid_t parent_pid = parent->threads.front()->pid;
    ProcessState state;
    state.slot = slot;
    state.pid = process.pid;
    state.ended = true;
    const pid_t pid = enclosure_.host_pid(process.pid);
    bool there = pid > 0;
    try {
      if (there) read_family(pid, &state);
    } catch (const HostError&) {
      there = false;  // it was waited for between the two
    }
    // Gone, and its parent is in a call that may have waited for it: the event comes after the checkpoint.
    if (!there || state.parent != parent_pid) {
      const bool waits = std::any_of(group->blocks.begin(), group->blocks.end(), [&](const BlockState& block) {
        uint64_t nr;
        memcpy(&nr, &block.bytes[abi::kGsRax], sizeof nr);
        return block.process == parent->slot && (nr == kWait4 || nr == kWaitid);
      });
      // A checkpoint for replicas is taken when no such call is over.
      if (!waits || settle_) continue;
      state.session = state.group = 0;
    }
    state.parent = parent_pid;
    group->processes.push_back(std::move(state));
  }
}

const Capture* Checkpointer::capture_of(const Mapping& m) const {
  static const std::string kDeleted = " (deleted)";
  const Capture* found = nullptr;
  const size_t slash = m.path.rfind('/');
  const std::string name = slash == std::string::npos ? "" : m.path.substr(slash + 1);
  for (size_t i = 0; i < captures_.size(); i++) {
    const Capture& c = captures_[i];
    // What a replica maps in a file's place has the hash as its name.
    const bool blob = !m.shared && name == capture_names_[i];
    if (!blob && (c.ino != m.ino || (c.path != m.path && c.path != m.path + kDeleted))) continue;
    // Captured with two contents: which of them is mapped here is not known.
    if (found != nullptr && found->sha != c.sha) return nullptr;
    found = &c;
  }
  return found;
}

void Checkpointer::copy(const ProcessMemory& memory, uint64_t address, uint64_t bytes, uint32_t space, uint64_t at,
                        bool skip_zeros, StateWriter* writer) {
  while (bytes > 0) {
    const uint64_t want = std::min<uint64_t>(bytes, buffer_.size());
    const uint64_t got = memory.read(address, buffer_.data(), want) & ~(kPageBytes - 1);
    if (got == 0) {
      if (skip_zeros) return;  // behind the end of a file
      unreadable(memory.pid(), errno);
    }
    if (!skip_zeros) {
      writer->pages(space, at, buffer_.data(), got / kPageBytes);
    } else {
      for (uint64_t page = 0; page < got / kPageBytes; page++)
        if (!is_zero(&buffer_[page * kPageBytes]))
          writer->pages(space, at + page * kPageBytes, &buffer_[page * kPageBytes], 1);
    }
    address += got, at += got, bytes -= got;
  }
}

void Checkpointer::copy_late(const ProcessMemory& memory, const Mapping& m, uint32_t space) {
  Late& late = late_.emplace_back(Late{space, m.start, (m.end - m.start) / kPageBytes, {}});
  for (uint64_t at = m.start; at < m.end;) {
    const uint64_t want = std::min<uint64_t>(m.end - at, buffer_.size());
    const uint64_t got = memory.read(at, buffer_.data(), want) & ~(kPageBytes - 1);
    if (got == 0) return;  // behind the end of the file
    for (uint64_t page = 0; page < got; page += kPageBytes)
      if (!is_zero(&buffer_[page]))
        late.data.emplace_back(at + page, std::vector<uint8_t>(&buffer_[page], &buffer_[page] + kPageBytes));
    at += got;
  }
}

void Checkpointer::write_late(StateWriter* writer) {
  for (const Late& late : late_) {
    writer->drop(late.space, late.begin, late.pages);
    for (const auto& [address, page] : late.data) writer->pages(late.space, address, page.data(), 1);
  }
  late_.clear();
}

// `copied`: what the process has of its own is.
Region Checkpointer::read_mapping(const Mapping& m, uint32_t space, bool copied, const ProcessMemory& memory,
                                  StateWriter* writer) {
  Region region{m.start, m.end, m.prot, uint32_t(m.shared ? MAP_SHARED : MAP_PRIVATE), m.offset, m.path, ""};
  if (m.shared) {
    read_shared(m, memory, writer);
    const std::string key = "shared " + std::to_string(m.dev) + " " + std::to_string(m.ino);
    region.extra = encode_region_kind(abi::kRestoreShared, shared_.at(key).space);
    return region;
  }
  const bool file = m.ino != 0;
  const Capture* known = file ? capture_of(m) : nullptr;
  region.extra = known != nullptr ? encode_region_kind(abi::kRestoreBlob, known->index)
                                  : encode_region_kind(abi::kRestoreAnonymous, 0);
  if (file && known == nullptr && copied) {
    copy_late(memory, m, space);
    return region;
  }
  if (file && known == nullptr) {
    copy(memory, m.start, m.end - m.start, space, m.start, true, writer);
    return region;
  }
  if (copied) return region;
  if (int error = memory.own_pages(m.start, m.end, [&](uint64_t address, uint64_t bytes) {
        copy(memory, address, bytes, space, address, false, writer);
      }))
    unreadable(memory.pid(), error);
  return region;
}

void Checkpointer::read_process(Member& member, GroupState* group, Manifest* manifest, StateWriter* writer) {
  const abi::ProcessSlot& slot = memory_.control().processes[member.slot];
  const ProcessMemory memory(member.pid);
  if (int error = memory.mappings(&member.mappings)) unreadable(member.pid, error);
  ProcessState& state = *std::find_if(group->processes.begin(), group->processes.end(),
                                      [&](const ProcessState& p) { return p.slot == member.slot; });
  state.space = space_of("process " + std::to_string(member.slot) + " " + std::to_string(slot.images));
  Space space;
  space.id = state.space;
  space.kind = Space::kProcess;
  space.pid = state.pid;
  if (read_file("/proc/" + std::to_string(member.pid) + "/comm", &space.name) && !space.name.empty() &&
      space.name.back() == '\n')
    space.name.pop_back();
  const std::shared_ptr<Followed> ahead = followed(member.slot);
  const bool copied = ahead != nullptr && ahead->precopy != nullptr;
  // An older file may tell of this space; all of it is told anew.
  if (!copied) writer->drop(space.id, 0, kUserPages);
  for (const Mapping& m : member.mappings) {
    if (m.named("[stack]")) state.stack_begin = m.start;
    space.regions.push_back(read_mapping(m, space.id, copied, memory, writer));
  }
  manifest->spaces.push_back(std::move(space));
}

Taken Checkpointer::take(const Recipient* recipient, bool complete) {
  begin_to_follow();
  auto each = [&](auto f) {
    std::lock_guard lock(followed_mutex_);
    for (auto& [slot, space] : followed_) {
      if (space->tracker == nullptr) continue;
      f(*space);
      space->precopy.reset();
    }
  };
  try {
    Taken taken = take_one(recipient, complete);
    if (taken.existed) each([](Followed& space) { space.tracker->rewind(); });
    else each([](Followed& space) { space.tracker->saved(); });
    if (!taken.existed && recipient == nullptr) release_old(taken.seq);
    return taken;
  } catch (...) {
    each([](Followed& space) { space.tracker->rewind(); });
    throw;
  }
}

// Not each time: the oldest that stays is made complete, which copies all of it. That is worth it when as much goes, or a restore would have
// too many files to read.
void Checkpointer::release_old(uint64_t seq) {
  if (keep_ != 0) {
    const std::vector<uint64_t> seqs = list_checkpoints(journal_dir_);
    if (seqs.size() < 2 * size_t(keep_)) return;
    const size_t going = seqs.size() - keep_;
    uint64_t whole = 0, since = 0;  // the oldest is complete: what it was built upon has been released
    for (size_t i = 0; i <= going; i++) (i == 0 ? whole : since) += bytes_on_disk(state_path(journal_dir_, seqs[i]));
    if (since < whole && going < kIncrementsMax) return;
    release_before(journal_dir_, seqs[going]);
    increments_ = std::min(increments_, keep_);
  } else if (increments_ >= kIncrementsMax) {
    fold(journal_dir_, seq);
    increments_ = 0;
  }
}

// Nothing has happened since. One that shall be complete replaces it.
bool Checkpointer::is_there(uint64_t seq, bool complete) const {
  const std::string path = state_path(journal_dir_, seq);
  if (complete) unlink(path.c_str());
  return access(path.c_str(), F_OK) == 0;
}

bool Checkpointer::stand(const Recipient& recipient, const std::vector<Member>& members) const {
  std::vector<pid_t> pids;
  pids.reserve(members.size());
  for (const Member& member : members) pids.push_back(member.pid);
  return recipient.standing(pids, pump_.events(), load_acquire(memory_.control().ring.head));
}

Taken Checkpointer::take_one(const Recipient* recipient, bool complete) {
  abi::Control& control = memory_.control();
  const uint64_t began = monotonic_ns();
  __atomic_fetch_or(&control.flags, uint32_t(abi::kFlagCheckpoints), __ATOMIC_SEQ_CST);
  if (agent_sha_.empty()) {
    UniqueFd file(open(agent_path_.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat st {};
    Sha256 sha;
    if (!file || fstat(file.get(), &st) != 0 || !sha256_of_file(file.get(), uint64_t(st.st_size), &sha))
      throw HostError("CHECKPOINT_WRITE", errno, agent_path_,
                      "cannot read the agent " + agent_path_ + ": " + errno_text(errno));
    agent_sha_ = hex(sha.data(), sha.size());
  }
  const std::optional<CheckpointRef> base = complete ? std::nullopt : this->base();
  if (!base) {
    increments_ = 0;
    std::lock_guard lock(followed_mutex_);
    for (auto& [slot, space] : followed_)
      if (space->tracker != nullptr) space->tracker->restart();
  }
  // What is captured later is not known as a file this time: the trackers have not looked at it as one.
  late_.clear();
  captures_ = blobs_.all();
  capture_names_.clear();
  for (const Capture& c : captures_) capture_names_.push_back(hex(c.sha.data(), c.sha.size()));
  // On the disk also when it is for a backup, and of no use after a crash: gigabytes that are left to the kernel's own time fill what it lets be
  // dirty, and then whoever writes anything is held up, for 60 to 190 ms.
  StateWriter writer(journal_dir_, base);
  copy_ahead(&writer);
  if (recipient != nullptr) {
    recipient->soon();
    copy_again();
  }
  uint64_t copied = monotonic_ns();
  int news = 0;
  Manifest manifest;
  GroupState group;
  std::vector<Member> members;
  Standstill standstill(warden_, tracer_, control.entry, cancelled_);
  Taken taken;
  PauseParts& parts = taken.parts;
  uint64_t lap = 0;
  const auto part = [&](uint64_t* ns) {
    const uint64_t now = monotonic_ns();
    *ns = now - lap;
    lap = now;
  };
  // Copying ahead takes seconds where there are gigabytes: that is not the group's fault.
  const uint64_t tried_since = monotonic_ns();
  uint64_t unsettled_since = 0;
  for (;;) {
    // A guest that has new processes all the time would never come to a checkpoint.
    const bool in_time = news < kNewsMax && monotonic_ns() - tried_since < kNewAheadNs;
    bool is_new = false;
    settle_ = standard_ && (!if_possible_ || unsettled_since == 0 || monotonic_ns() - unsettled_since < kSettleNs);
    if (standstill.begin()) {
      lap = monotonic_ns();
      if (find_members(&members) && !(is_new = in_time && has_new(members)) && (!settle_ || look_settled(members)) &&
          read_threads(members, monotonic_ns() - tried_since > kGiveUpNs, &group)) {
        part(&parts.threads_ns);
        pump_.drain();
        part(&parts.journal_ns);
        if (last_rounds(members) &&
            (recipient == nullptr || is_there(pump_.events(), complete) || stand(*recipient, members)))
          break;
      }
      standstill.end();
      parts.given_up++;
      parts.given_up_ns = std::max(parts.given_up_ns, standstill.lasted_ns());
      // What the trackers have told of once they do not tell again.
      write_last_rounds(members);
      if (!is_new && unsettled_since == 0) unsettled_since = monotonic_ns();
      if (is_new) {
        news++;
        copy_new_ahead(members, &writer);
      }
      members.clear();
      group = {};
    }
    if (cancelled_) throw HostError("CHECKPOINT_ENDED", ESRCH, "", "the recording has ended");
    if (monotonic_ns() - tried_since > kGiveUpNs)
      throw HostError("CHECKPOINT_BUSY", EBUSY, "",
                      "the program could not be stopped at a position from which it can go on, within " +
                          std::to_string(kGiveUpNs / 1'000'000'000) + " s");
    if (monotonic_ns() - copied > kAheadAgainNs) {
      copy_again();
      copied = monotonic_ns();
    } else {
      usleep(kRetryUs);
    }
  }
  if (pump_.failed())
    throw HostError("CHECKPOINT_WRITE", EIO, journal_dir_,
                    "the journal is lost, and a checkpoint is nothing without it");
  manifest.self.seq = taken.seq = pump_.events();
  manifest.epoch = epoch_;
  taken.path = state_path(journal_dir_, taken.seq);
  taken.processes = uint32_t(members.size());
  taken.threads = uint32_t(group.threads.size());
  if (is_there(taken.seq, complete)) {
    standstill.end();
    taken.existed = true;
    taken.pause_ns = standstill.lasted_ns();
    taken.took_ns = monotonic_ns() - began;
    return taken;
  }
  part(&parts.pages_ns);
  const std::vector<Capture> captured = blobs_.all();
  shared_.clear();
  for (const Member& member : members) read_agent_data(member, &group);
  if (enclosure_.has_pids()) find_ended(members, &group);
  part(&parts.agent_ns);
  for (Member& member : members) read_process(member, &group, &manifest, &writer);
  if (standard_ && !enclosure_.root().empty()) read_named_memory(members.front().pid, &writer);
  part(&parts.mappings_ns);
  std::optional<KernelObjects> kernel;
  if (standard_) kernel = kernel_or_why_not(members);
  part(&parts.kernel_ns);
  group.agent_sha = agent_sha_;
  group.guest_fd = control.guest_fd;
  group.last_gtid = control.last_gtid;
  group.next_gtid = control.next_gtid;
  group.next_process = control.next_process;
  group.flags = control.flags & uint32_t(abi::kFlagPidNamespace);
  group.monotonic_ns = monotonic_ns() + uint64_t(control.pair.clock_offset_ns[1]);
  group.clocks.assign(std::begin(control.clock_last_ns), std::end(control.clock_last_ns));
  standstill.end();
  part(&parts.resume_ns);
  write_last_rounds(members);
  write_late(&writer);
  for (const Member& member : members) {
    const std::shared_ptr<Followed> space = followed(member.slot);
    if (space == nullptr || space->precopy == nullptr) continue;
    taken.rounds = std::max(taken.rounds, uint32_t(space->precopy->figures().rounds));
    taken.last_pages += space->precopy->figures().pages_last;
  }
  for (const Capture& c : captured)
    group.blobs.push_back({c.index, c.size, c.dev, c.ino, hex(c.sha.data(), c.sha.size()), c.path});
  for (auto& [key, object] : shared_) {
    Space space;
    space.id = object.space;
    space.kind = Space::kShared;
    space.name = object.name;
    space.regions.push_back({0, page_up(std::max<uint64_t>({object.end, object.state.bytes, 1})),
                             PROT_READ | PROT_WRITE, MAP_SHARED, 0, object.name, ""});
    manifest.spaces.push_back(std::move(space));
    group.shared.push_back(object.state);
  }
  manifest.sections = encode_group(group);
  if (kernel) manifest.sections.push_back({kKernelSection, encode_objects(*kernel)});
  taken.page_bytes = writer.page_bytes();
  taken.incremental = base.has_value();
  last_ = writer.commit(std::move(manifest));
  increments_++;
  taken.pause_ns = standstill.lasted_ns();
  taken.took_ns = monotonic_ns() - began;
  return taken;
}

}  // namespace understudy::host::checkpoint
