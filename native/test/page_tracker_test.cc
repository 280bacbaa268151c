// Dirty tracking against the truth: a child does at random what changes memory (writes, maps, unmaps, moves, discards …) while checkpoints
// of it are taken; each, resolved through its chain, must be what the child's memory was at that moment, byte for byte.
#include "checkpoint/page_tracker.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <filesystem>
#include <map>
#include <random>

#include "checkpoint/precopy.h"
#include "checkpoint/remote_call.h"
#include "checkpoint/state_chain.h"

using namespace understudy::host;
using namespace understudy::host::checkpoint;

namespace {

int failures = 0;
std::string scratch;

#define EXPECT(condition, ...)                                        \
  do {                                                                \
    if (!(condition) && failures++ < 20) {                            \
      fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
      fprintf(stderr, __VA_ARGS__);                                   \
      fputc('\n', stderr);                                            \
    }                                                                 \
  } while (0)

Tracking wanted(bool yes) { return yes ? Tracking::kTracked : Tracking::kIgnored; }

// What parent and child say to each other; a page that is no part of the checkpoint.
struct Control {
  uint32_t userfault, hold, held, operations;
  int fd;
  uint64_t dirty_pages;  // the big child: how many to write to
};
Control* control;
int control_fd = -1;

void map_control(int fd) {
  control_fd = fd;
  control = static_cast<Control*>(mmap(nullptr, kPageBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0));
  if (control == MAP_FAILED) _exit(1);
}

void wait_until(uint32_t* word, uint32_t value) {
  const uint64_t deadline = monotonic_ns() + 30000000000;
  while (load_acquire(*word) != value) {
    sched_yield();
    if (monotonic_ns() > deadline) {
      fprintf(stderr, "the child does not answer\n");
      _exit(1);
    }
  }
}

void become_child() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int fd = int(syscall(SYS_userfaultfd, kUserfaultFlags));
  control->fd = fd < 0 ? -errno : fd;
  store_release(control->userfault, 1u);
  wait_until(&control->userfault, 2);
  close(fd);
}

UniqueFd userfault_of(pid_t pid) {
  wait_until(&control->userfault, 1);
  UniqueFd fd = take_descriptor(pid, control->fd);
  store_release(control->userfault, 2u);
  return fd;
}

// Where it says that it can be, as a guest stands still in its agent: what is stopped anywhere may be between a page fault and the write
// that led to it.
void hold(pid_t pid) {
  store_release(control->hold, 1u);
  wait_until(&control->held, 1);
  kill(pid, SIGSTOP);
  int status = 0;
  waitpid(pid, &status, WUNTRACED);
  EXPECT(WIFSTOPPED(status), "the child has ended");
}
void release(pid_t pid) {
  kill(pid, SIGCONT);
  store_release(control->hold, 0u);
  wait_until(&control->held, 0);
}
void stand_still_if_told() {
  if (load_acquire(control->hold) == 0) return;
  store_release(control->held, 1u);
  wait_until(&control->hold, 0);
  store_release(control->held, 0u);
}

// A program of its own, small: a mere fork would have the memory of this one.
pid_t start_child(const char* what, uint64_t seed) {
  memset(control, 0, sizeof *control);
  const std::string seed_text = std::to_string(seed), fd_text = std::to_string(control_fd);
  const pid_t pid = fork();
  if (pid == 0) {
    execl("/proc/self/exe", "child", what, seed_text.c_str(), fd_text.c_str(), scratch.c_str(), nullptr);
    _exit(127);
  }
  return pid;
}

void end_child(pid_t pid) {
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
}

// ---- A child that does everything ------------------------------------------------------------------------------------

struct Area {
  char* at;
  size_t pages;
};

__attribute__((noinline)) void deep(std::mt19937_64& random, int depth) {
  volatile char room[8192];
  room[0] = char(random());
  room[4096] = char(depth);
  if (depth > 0) deep(random, depth - 1);
  // Not a tail call.
  room[1] = room[0];
}

void restless(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t n) { return random() % n; };
  std::vector<Area> areas;
  // Nothing here allots memory from now on: the heap's end is moved below.
  areas.reserve(64);
  size_t grown = 0;
  const int file = open((scratch + "/mapped").c_str(), O_RDWR | O_CLOEXEC);
  const int shared = int(memfd_create("shared", MFD_CLOEXEC));
  const int zero = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
  ftruncate(shared, 64 << 12);
  auto* shared_at = static_cast<char*>(mmap(nullptr, 64 << 12, PROT_READ | PROT_WRITE, MAP_SHARED, shared, 0));
  for (;;) {
    __atomic_fetch_add(&control->operations, 1, __ATOMIC_RELAXED);
    stand_still_if_told();
    const uint64_t what = below(24);
    Area* area = areas.empty() ? nullptr : &areas[below(areas.size())];
    if (area == nullptr || (what == 0 && areas.size() < 30)) {
      const size_t pages = 1 + below(200);
      const bool of_file = below(3) == 0;
      auto* at = static_cast<char*>(
          of_file ? mmap(nullptr, std::min<size_t>(pages, 100) << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0)
                  : mmap(nullptr, pages << 12, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
      areas.push_back({at, of_file ? std::min<size_t>(pages, 100) : pages});
      continue;
    }
    const size_t page = below(area->pages), count = 1 + below(area->pages - page);
    char* const at = area->at + (page << 12);
    switch (what) {
      case 1:
        munmap(area->at, area->pages << 12);
        *area = areas.back();
        areas.pop_back();
        break;
      case 2: {  // mapped anew at the same place
        const auto flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;
        mmap(at, count << 12, PROT_READ | PROT_WRITE, flags, -1, 0);
        break;
      }
      case 3: {  // moved
        void* moved = mremap(area->at, area->pages << 12, area->pages << 12, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
        if (moved != MAP_FAILED) {
          munmap(area->at, area->pages << 12);
          area->at = static_cast<char*>(moved);
        }
        break;
      }
      case 4: {  // shrunk and grown: what comes is empty
        if (area->pages < 3) break;
        const size_t less = area->pages / 2;
        if (mremap(area->at, area->pages << 12, less << 12, 0) == MAP_FAILED) break;
        area->pages = mremap(area->at, less << 12, (less + 1) << 12, 0) == MAP_FAILED ? less : less + 1;
        break;
      }
      // Never MADV_FREE: the kernel takes those pages back when it is short of memory, also from a process that is held, between the copy and
      // the comparison. The agent makes MADV_DONTNEED of it, so no guest has such pages.
      case 5:
      case 6:
      case 7: madvise(at, count << 12, MADV_DONTNEED); break;
      case 8: {
        mprotect(at, count << 12, PROT_NONE);
        if (below(4) != 0) mprotect(at, count << 12, PROT_READ | PROT_WRITE);
        break;
      }
      case 9: {
        const size_t more = below(10);
        if (grown + more > 300) break;
        auto* top = static_cast<char*>(sbrk(intptr_t(more << 12)));
        grown += more;
        if (more > 0) *top = char(random());
        break;
      }
      case 10: {
        const size_t less = below(grown + 1) / 4;
        sbrk(-intptr_t(less << 12));
        grown -= less;
        break;
      }
      case 11: deep(random, int(below(60))); break;
      case 12: shared_at[below(64) << 12] = char(random()); break;
      case 13: {
        const uint64_t word = random();
        pwrite(shared, &word, 8, off_t(below(60) << 12));
        break;
      }
      case 14: {  // written to by the kernel
        const long got = read(zero, at, std::min<size_t>(count, 4) << 12);
        (void)got;
        break;
      }
      case 15: {
        volatile char sum = 0;
        if (mprotect(at, 4096, PROT_READ | PROT_WRITE) == 0) sum = *at;
        (void)sum;
        break;
      }
      case 16: {  // a child of its own, which shares the pages for a moment
        const pid_t pid = fork();
        if (pid == 0) _exit(0);
        waitpid(pid, nullptr, 0);
        break;
      }
      default:
        mprotect(area->at, area->pages << 12, PROT_READ | PROT_WRITE);
        for (size_t i = 0; i < std::min<size_t>(count, 20); i++) {
          const uint64_t word = below(5) == 0 ? 0 : random();
          memcpy(at + (i << 12) + (below(512) * 8), &word, 8);
        }
    }
  }
}

// The process's memory now, in what the tracker tracks or tells of as a whole.
std::map<uint64_t, std::vector<uint8_t>> truth(pid_t pid, const std::vector<TrackedMapping>& mappings) {
  std::map<uint64_t, std::vector<uint8_t>> out;
  UniqueFd memory(open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY | O_CLOEXEC));
  for (const TrackedMapping& m : mappings) {
    if (m.tracking == Tracking::kIgnored) continue;
    for (uint64_t at = m.start; at < m.end; at += kPageBytes) {
      std::vector<uint8_t> page(kPageBytes);
      if (pread(memory.get(), page.data(), kPageBytes, off_t(at)) != ssize_t(kPageBytes)) continue;
      out.emplace(at, std::move(page));
    }
  }
  return out;
}

// What a checkpoint makes of a mapping's page.
std::vector<uint8_t> restored(const StateChain& chain, const std::map<uint64_t, PageRun>& runs, const TrackedMapping& m,
                              int file, uint64_t at) {
  std::vector<uint8_t> page(kPageBytes);
  auto it = runs.upper_bound(at / kPageBytes);
  if (it != runs.begin()) {
    const PageRun& run = std::prev(it)->second;
    if (at / kPageBytes < run.page + run.count) {
      const uint64_t skip = at / kPageBytes - run.page;
      if (run.place.kind == Place::kSlot) chain.file(run.place.file).read(run.place.slot + skip, 1, page.data());
      return page;
    }
  }
  if (m.of_file() && m.name[0] == '/') {
    const ssize_t got = pread(file, page.data(), kPageBytes, off_t(m.offset + at - m.start));
    EXPECT(got > 0, "%s at %llx", m.name.c_str(), (unsigned long long)at);
  }
  return page;
}

void against_the_truth(uint64_t seed) {
  const std::string journal = scratch + "/journal";
  std::filesystem::remove_all(journal);
  std::mt19937_64 random(seed);
  const pid_t pid = start_child("restless", seed);
  UniqueFd userfault = userfault_of(pid);
  PageTracker tracker(pid, std::move(userfault),
                      [](const TrackedMapping& m) { return wanted(m.name.find("control") == std::string::npos); });
  std::optional<CheckpointRef> base;
  uint64_t pages_compared = 0, increments = 0, last_pages = 0;
  for (uint64_t seq = 1; seq <= 25; seq++) {
    usleep(useconds_t(random() % 20000));
    StateWriter writer(journal, base);
    if (!base) tracker.restart();
    Precopy precopy(tracker, writer, 1);
    // With none before, too: everything in the last round.
    PrecopyLimits limits;
    limits.rounds = int(random() % 5);
    limits.memory_pages = random() % 3 == 0 ? 8 : 8192;
    precopy.run(limits);
    hold(pid);
    EXPECT(precopy.last_round(), "gone");
    const auto now = truth(pid, precopy.mappings());
    release(pid);
    if (random() % 6 == 0) {
      // A checkpoint that comes to nothing.
      tracker.rewind();
      continue;
    }
    precopy.write_last();
    Manifest manifest;
    manifest.self.seq = seq;
    Space space{1, Space::kProcess, pid, "restless", {}};
    for (const TrackedMapping& m : precopy.mappings())
      if (m.tracking != Tracking::kIgnored) space.regions.push_back({m.start, m.end, m.prot, 0, m.offset, m.name, ""});
    manifest.spaces.push_back(space);
    increments += base.has_value();
    base = writer.commit(manifest);
    tracker.saved();
    last_pages += precopy.figures().pages_last;
    const StateChain chain(journal, seq);
    chain.verify();
    std::map<uint64_t, PageRun> runs;
    for (const PageRun& run : chain.resolve(1)) runs.emplace(run.page, run);
    std::map<std::string, int> wrong;
    for (const TrackedMapping& m : precopy.mappings()) {
      UniqueFd file(m.of_file() ? open(m.name.c_str(), O_RDONLY | O_CLOEXEC) : -1);
      for (auto it = now.lower_bound(m.start); it != now.end() && it->first < m.end; ++it) {
        pages_compared++;
        if (const auto is = restored(chain, runs, m, file.get(), it->first); is != it->second) {
          if (wrong[m.name + (m.shared ? " (shared)" : "")]++ != 0) continue;
          const auto zeros = [](const std::vector<uint8_t>& p) {
            return std::all_of(p.begin(), p.end(), [](uint8_t byte) { return byte == 0; });
          };
          fprintf(stderr, "%llx in %llx-%llx, prot %x: %s instead of %s\n", (unsigned long long)it->first,
                  (unsigned long long)m.start, (unsigned long long)m.end, m.prot, zeros(is) ? "zeros" : "bytes",
                  zeros(it->second) ? "zeros" : "bytes");
        }
      }
    }
    for (const auto& [name, count] : wrong)
      EXPECT(false, "seed %llu, checkpoint %llu: %d pages of \"%s\"", (unsigned long long)seed, (unsigned long long)seq,
             count, name.c_str());
    if (random() % 8 == 0) base.reset();
    else if (random() % 5 == 0) release_before(journal, seq);
  }
  EXPECT(increments > 5 && control->operations > 1000, "%llu increments, %u operations: the test says little",
         (unsigned long long)increments, control->operations);
  end_child(pid);
  const Scan after = tracker.scan();
  EXPECT(after.gone, "a dead process's address space");
  printf("seed %llu: %u operations, %llu increments, %llu pages compared, %llu in last rounds\n",
         (unsigned long long)seed, control->operations, (unsigned long long)increments,
         (unsigned long long)pages_compared, (unsigned long long)last_pages);
}

// Moves a mapping beside another one, when told to: the kernel makes them one, if the moved one was never touched.
void joins(uint64_t) {
  constexpr size_t kBytes = 4 * kPageBytes;
  auto* const at = reinterpret_cast<char*>(0x100000000000);
  char* const other = at + 16 * kBytes;
  const auto map = [](char* where) {
    const auto flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    return mmap(where, kBytes, PROT_READ | PROT_WRITE, flags, -1, 0) == where;
  };
  bool right = map(at) && map(other);
  memset(at, 1, kBytes);
  control->dirty_pages = reinterpret_cast<uint64_t>(at + kPageBytes);
  store_release(control->held, 1u);
  wait_until(&control->hold, 1);
  right = right && mremap(other, kBytes, kBytes, MREMAP_MAYMOVE | MREMAP_FIXED, at + kBytes) == at + kBytes;
  at[kPageBytes] = 3;
  control->operations = right;
  store_release(control->hold, 2u);
  for (;;) pause();
}

void a_mapping_that_another_is_joined_with() {
  const pid_t pid = start_child("joins", 0);
  PageTracker tracker(pid, userfault_of(pid), [](const TrackedMapping& m) { return wanted(!m.shared); });
  wait_until(&control->held, 1);
  tracker.scan();
  EXPECT(tracker.scan().dirty_pages < 10, "nothing was written to");
  store_release(control->hold, 1u);
  wait_until(&control->hold, 2);
  EXPECT(control->operations == 1, "not moved");
  const Scan scan = tracker.scan();
  const auto has = [](const Range& range) {
    return range.start <= control->dirty_pages && control->dirty_pages < range.end;
  };
  EXPECT(std::any_of(scan.dirty.begin(), scan.dirty.end(), has), "a page that was written to");
  end_child(pid);
}

// Has a reserve of which it uses some pages, as allocators and threads' stacks do.
constexpr uint64_t kReserve = 1ull << 30;
void reserves(uint64_t) {
  auto* const at = static_cast<char*>(
      mmap(nullptr, kReserve, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  for (uint64_t i = 0; i < 100; i++) at[i * kPageBytes] = 1;
  control->dirty_pages = reinterpret_cast<uint64_t>(at);
  store_release(control->held, 1u);
  wait_until(&control->hold, 1);
  // In the middle of nothing, beside what is known, and what is known not any more.
  at[kReserve / 2] = 2;
  at[200 * kPageBytes] = 2;
  madvise(at + 10 * kPageBytes, 20 * kPageBytes, MADV_DONTNEED);
  at[15 * kPageBytes] = 2;
  store_release(control->hold, 2u);
  for (;;) pause();
}

void a_reserve_is_not_copied() {
  const pid_t pid = start_child("reserves", 0);
  PageTracker tracker(pid, userfault_of(pid), [](const TrackedMapping& m) { return wanted(!m.shared); });
  wait_until(&control->held, 1);
  const uint64_t at = control->dirty_pages;
  const auto has = [&](const std::vector<Range>& ranges, uint64_t page) {
    const uint64_t address = at + page * kPageBytes;
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const Range& r) { return r.start <= address && address < r.end; });
  };
  const auto tables_of = [&] {
    std::string status;
    read_file("/proc/" + std::to_string(pid) + "/status", &status);
    const size_t line = status.find("VmPTE:");
    return line == std::string::npos ? 0 : strtoull(status.c_str() + line + 6, nullptr, 10);
  };
  const uint64_t tables = tables_of();
  const Scan first = tracker.scan();
  EXPECT(has(first.dirty, 0) && has(first.dirty, 99), "what there is");
  EXPECT(first.dirty_pages < 4000, "%llu pages to be copied", (unsigned long long)first.dirty_pages);
  EXPECT(tables_of() <= tables + 64, "page tables of %llu KiB, there were %llu", (unsigned long long)tables_of(),
         (unsigned long long)tables);
  store_release(control->hold, 1u);
  wait_until(&control->hold, 2);
  const Scan scan = tracker.scan();
  EXPECT(has(scan.dirty, kReserve / 2 / kPageBytes) && has(scan.dirty, 200), "pages that were not there before");
  EXPECT(has(scan.dirty, 15), "a page that was discarded, and written to");
  for (uint64_t page : {10, 14, 16, 29})
    EXPECT(has(scan.voided, page) || has(scan.dirty, page), "discarded page %llu", (unsigned long long)page);
  EXPECT(scan.dirty_pages < 1000, "%llu pages to be copied", (unsigned long long)scan.dirty_pages);
  end_child(pid);
}

void executes(uint64_t) {
  wait_until(&control->held, 1);
  execl("/bin/sleep", "sleep", "30", nullptr);
}

void execve_is_noticed() {
  const pid_t pid = start_child("executes", 0);
  PageTracker tracker(pid, userfault_of(pid), [](const TrackedMapping&) { return Tracking::kTracked; });
  EXPECT(!tracker.scan().gone, "before execve");
  store_release(control->held, 1u);
  const uint64_t deadline = monotonic_ns() + 10000000000;
  bool gone = false;
  while (!gone && monotonic_ns() < deadline) {
    usleep(1000);
    gone = tracker.scan().gone;
  }
  EXPECT(gone, "after execve");
  end_child(pid);
}

// ---- A child that does not make its userfaultfd itself -----------------------------------------------------------

extern "C" const char gate_instruction[];
asm(".text\n.globl gate_instruction\ngate_instruction: syscall\nret\n");

// Waits in one of several ways; what it was answered goes to `operations`, in the end.
void waits(uint64_t how) {
  control->dirty_pages = reinterpret_cast<uint64_t>(gate_instruction);
  signal(SIGUSR1, [](int) {});
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  uint32_t answer = 0;
  store_release(control->held, 1u);
  switch (how) {
    case 0: {
      char byte = 0;
      answer = read(0, &byte, 1) == 1 && byte == 'x' ? 1 : 2;
      break;
    }
    case 1: {
      timespec wait{0, 400000000}, left{};
      const uint64_t begin = monotonic_ns();
      answer = nanosleep(&wait, &left) == 0 && monotonic_ns() - begin >= 400000000 ? 1 : 2;
      break;
    }
    case 2: {
      pollfd in{0, POLLIN, 0};
      answer = poll(&in, 1, 20000) == 1 ? 1 : 2;
      break;
    }
    case 3: {
      sigprocmask(SIG_BLOCK, &all, nullptr);
      pollfd in{0, POLLIN, 0};
      // Ended by the signal, which is blocked outside of the call only.
      answer = ppoll(&in, 1, nullptr, &none) == -1 && errno == EINTR ? 1 : 2;
      sigset_t now;
      sigprocmask(SIG_BLOCK, nullptr, &now);
      if (sigismember(&now, SIGUSR1) != 1) answer = 3;
      break;
    }
    default: {
      volatile uint64_t n = 0;
      uint64_t sum = 0;
      while (load_acquire(control->hold) == 0) {
        sum += n;
        n = n + 1;
      }
      answer = sum == n * (n - 1) / 2 ? 1 : 2;
    }
  }
  store_release(control->operations, answer);
  for (;;) pause();
}

void userfault_by_remote_call() {
  for (uint64_t how = 0; how < 5; how++) {
    int in[2];
    if (pipe(in) != 0) _exit(1);
    const int old = dup(0);
    dup2(in[0], 0);
    const pid_t pid = start_child("waits", how);
    dup2(old, 0);
    close(old);
    close(in[0]);
    wait_until(&control->held, 1);
    usleep(20000);
    int status = 0;
    EXPECT(ptrace(PTRACE_SEIZE, pid, 0, 0) == 0 && ptrace(PTRACE_INTERRUPT, pid, 0, 0) == 0, "%d", errno);
    waitpid(pid, &status, __WALL);
    const uint64_t instruction = control->dirty_pages;
    EXPECT(remote_call(pid, instruction, SYS_getpid) == pid, "getpid");
    EXPECT(remote_call(pid, instruction, SYS_close, 12345) == -EBADF, "close");
    UniqueFd userfault = make_userfault(pid, instruction);
    EXPECT(userfault, "%s", errno_text(errno).c_str());
    size_t open_files = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/fd"))
      open_files += entry.path().filename() != "" &&
                    std::filesystem::read_symlink(entry).string().find("userfaultfd") != std::string::npos;
    EXPECT(open_files == 0, "the child has it still");
    PageTracker tracker(pid, std::move(userfault), [](const TrackedMapping& m) { return wanted(!m.shared); });
    EXPECT(tracker.scan().dirty_pages > 10, "nothing to copy");
    ptrace(PTRACE_DETACH, pid, 0, 0);
    usleep(20000);
    if (how == 0 || how == 2) EXPECT(write(in[1], "x", 1) == 1, "write");
    if (how == 3) kill(pid, SIGUSR1);
    store_release(control->hold, 1u);
    const uint64_t deadline = monotonic_ns() + 10000000000;
    while (load_acquire(control->operations) == 0 && monotonic_ns() < deadline) usleep(1000);
    EXPECT(control->operations == 1, "a call of kind %llu was disturbed: %u", (unsigned long long)how,
           control->operations);
    const Scan scan = tracker.scan();
    EXPECT(!scan.gone && scan.dirty_pages > 0 && scan.dirty_pages < 20, "%llu pages",
           (unsigned long long)scan.dirty_pages);
    close(in[1]);
    end_child(pid);
  }
}

// ---- A large child ---------------------------------------------------------------------------------------------------

constexpr uint64_t kBigPages = (1ull << 30) / kPageBytes;

void big(uint64_t seed) {
  std::mt19937_64 random(seed);
  auto* memory = static_cast<char*>(
      mmap(nullptr, kBigPages * kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (uint64_t i = 0; i < kBigPages; i++) memory[i * kPageBytes] = 1;
  for (;;) {
    store_release(control->held, 1u);
    wait_until(&control->hold, 1);
    store_release(control->held, 0u);
    for (uint64_t i = 0; i < control->dirty_pages; i++) memory[random() % kBigPages * kPageBytes]++;
    store_release(control->hold, 0u);
  }
}

// Writes all the time, at a rate: a tenth of its pages in a second.
void busy(uint64_t seed) {
  std::mt19937_64 random(seed);
  auto* memory = static_cast<char*>(
      mmap(nullptr, kBigPages * kPageBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (uint64_t i = 0; i < kBigPages; i++) *reinterpret_cast<uint64_t*>(memory + i * kPageBytes) = random();
  store_release(control->operations, 1u);
  for (;;) {
    stand_still_if_told();
    const uint64_t begin = monotonic_ns();
    for (uint64_t i = 0; i < kBigPages / 1000; i++) memory[random() % kBigPages * kPageBytes]++;
    const uint64_t took = (monotonic_ns() - begin) / 1000;
    if (took < 10000) usleep(useconds_t(10000 - took));
  }
}

void figures_of_checkpoints() {
  const std::string journal = scratch + "/journal";
  std::filesystem::remove_all(journal);
  const pid_t pid = start_child("busy", 1);
  PageTracker tracker(pid, userfault_of(pid), [](const TrackedMapping& m) { return wanted(!m.shared); });
  wait_until(&control->operations, 1);
  std::optional<CheckpointRef> base;
  for (uint64_t seq = 1; seq <= 5; seq++) {
    if (seq > 1) usleep(1000000);
    const uint64_t begin = monotonic_ns();
    StateWriter writer(journal, base);
    Precopy precopy(tracker, writer, 1);
    precopy.run(PrecopyLimits());
    const uint64_t copied = monotonic_ns();
    hold(pid);
    EXPECT(precopy.last_round(), "gone");
    release(pid);
    const uint64_t released = monotonic_ns();
    precopy.write_last();
    Manifest manifest;
    manifest.self.seq = seq;
    Space space{1, Space::kProcess, pid, "busy", {}};
    for (const TrackedMapping& m : precopy.mappings())
      space.regions.push_back({m.start, m.end, m.prot, 0, m.offset, m.name, ""});
    manifest.spaces.push_back(space);
    base = writer.commit(manifest);
    tracker.saved();
    const PrecopyFigures& f = precopy.figures();
    printf(
        "1 GiB, 10 %% written to in a second, checkpoint %llu: %.0f MB; before %.0f ms in %d rounds, held %.1f ms "
        "(scan %.1f, copy %.1f; %llu "
        "pages), after %.0f ms\n",
        (unsigned long long)seq, double(writer.page_bytes()) / 1e6, double(copied - begin) / 1e6, f.rounds,
        double(released - copied) / 1e6, double(f.scan_ns) / 1e6, double(f.copy_ns) / 1e6,
        (unsigned long long)f.pages_last, double(monotonic_ns() - released) / 1e6);
  }
  end_child(pid);
  uint64_t begin = monotonic_ns();
  const StateChain chain(journal, 5);
  printf("chain of %zu: opened in %.1f ms, ", chain.size(), double(monotonic_ns() - begin) / 1e6);
  begin = monotonic_ns();
  const size_t runs = chain.resolve(1).size();
  printf("resolved into %zu runs in %.1f ms, ", runs, double(monotonic_ns() - begin) / 1e6);
  begin = monotonic_ns();
  chain.verify();
  printf("verified in %.0f ms, ", double(monotonic_ns() - begin) / 1e6);
  begin = monotonic_ns();
  release_before(journal, 5);
  printf("folded in %.0f ms\n", double(monotonic_ns() - begin) / 1e6);
  EXPECT(StateChain(journal, 5).resolve(1).size() < 200, "%zu runs after folding",
         StateChain(journal, 5).resolve(1).size());
}

void figures_of_a_large_one() {
  const pid_t pid = start_child("big", 1);
  PageTracker tracker(pid, userfault_of(pid), [](const TrackedMapping& m) { return wanted(!m.shared); });
  wait_until(&control->held, 1);
  const uint64_t begin = monotonic_ns();
  Scan scan = tracker.scan();
  printf("1 GiB: first scan %.1f ms, %llu pages\n", double(monotonic_ns() - begin) / 1e6,
         (unsigned long long)scan.dirty_pages);
  EXPECT(scan.dirty_pages >= kBigPages, "%llu", (unsigned long long)scan.dirty_pages);
  for (int percent : {0, 1, 10, 50}) {
    std::vector<uint64_t> times;
    for (int i = 0; i < 5; i++) {
      control->dirty_pages = kBigPages / 100 * uint64_t(percent);
      store_release(control->hold, 1u);
      wait_until(&control->hold, 0);
      wait_until(&control->held, 1);
      tracker.settle();
      const uint64_t start = monotonic_ns();
      scan = tracker.scan();
      times.push_back(monotonic_ns() - start);
    }
    std::sort(times.begin(), times.end());
    printf("1 GiB, %d %% written to: scan and protection %.1f ms (median of %zu), %llu pages in %zu runs\n", percent,
           double(times[2]) / 1e6, times.size(), (unsigned long long)scan.dirty_pages, scan.dirty.size());
    EXPECT(scan.dirty_pages <= kBigPages / 100 * uint64_t(percent) + 100, "%llu", (unsigned long long)scan.dirty_pages);
    std::vector<uint8_t> room(scan.dirty_pages * kPageBytes, 1);
    PageCopier copier(pid);
    const uint64_t start = monotonic_ns();
    copier.copy_into(scan.dirty, room.data(), [](const Range&) { EXPECT(false, "unreadable"); });
    printf("    copied in %.1f ms\n", double(monotonic_ns() - start) / 1e6);
  }
  end_child(pid);
}

}  // namespace

int main(int argc, char** argv) {
  if (strcmp(argv[0], "child") == 0) {
    scratch = argv[4];
    map_control(atoi(argv[3]));
    const std::string what = argv[1];
    if (what != "waits") become_child();
    else prctl(PR_SET_PDEATHSIG, SIGKILL);
    const uint64_t seed = strtoull(argv[2], nullptr, 10);
    if (what == "restless") restless(seed);
    else if (what == "big") big(seed);
    else if (what == "busy") busy(seed);
    else if (what == "waits") waits(seed);
    else if (what == "joins") joins(seed);
    else if (what == "reserves") reserves(seed);
    else executes(seed);
    return 0;
  }
  std::string why;
  if (!PageTracker::supported(&why)) {
    fprintf(stderr, "%s\n", why.c_str());
    return 77;
  }
  char dir[] = "/tmp/understudy-tracker-test.XXXXXX";
  if (mkdtemp(dir) == nullptr) return 1;
  scratch = dir;
  std::vector<char> contents(100 * kPageBytes, 'f');
  UniqueFd file(open((scratch + "/mapped").c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  if (write_all(file.get(), contents.data(), contents.size()) != 0) return 1;
  setvbuf(stdout, nullptr, _IOLBF, 0);
  const int fd = int(memfd_create("control", 0));
  if (ftruncate(fd, kPageBytes) != 0) return 1;
  map_control(fd);
  const uint64_t seed = argc > 1 ? strtoull(argv[1], nullptr, 10) : 1;
  for (uint64_t s = seed; s < seed + 6; s++) against_the_truth(s);
  a_mapping_that_another_is_joined_with();
  a_reserve_is_not_copied();
  execve_is_noticed();
  userfault_by_remote_call();
  figures_of_a_large_one();
  // Gigabytes on the disk: when asked for.
  if (argc > 2 && strcmp(argv[2], "--figures") == 0) figures_of_checkpoints();
  std::filesystem::remove_all(scratch);
  if (failures != 0) fprintf(stderr, "%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
