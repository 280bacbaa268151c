// Scenarios of the host side, with the toy agent: what a recording leaves behind, and what replay makes of it.
//
// usage: host_test AGENT STUB GUEST
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "msgpack.h"
#include "session.h"

using namespace understudy;
using namespace understudy::host;

extern char** environ;

namespace {

int failures = 0;
#define CHECK(condition)                                             \
  do {                                                               \
    if (!(condition)) {                                              \
      printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      failures++;                                                    \
    }                                                                \
  } while (0)

std::string agent_path, stub_path, guest_path, work_dir;

class Events {
 public:
  EmitEvent sink() {
    return [this](Plain::Object event) {
      std::lock_guard lock(mutex_);
      events_.push_back(std::move(event));
      changed_.notify_all();
    };
  }
  // The first event of this type; waits for it.
  Plain::Object wait(const std::string& type) {
    std::unique_lock lock(mutex_);
    const Plain::Object* found = nullptr;
    const bool came = changed_.wait_for(lock, std::chrono::seconds(20),
                                        [&] { return (found = find(type)) != nullptr; });
    CHECK(came);
    return came ? *found : Plain::Object{};
  }
  std::vector<std::string> messages() {
    std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const Plain::Object& event : events_) {
      if (text(event, "type") == "message") out.push_back(text(event, "text"));
    }
    return out;
  }
  size_t count(const std::string& type) {
    std::lock_guard lock(mutex_);
    size_t n = 0;
    for (const Plain::Object& event : events_) n += text(event, "type") == type;
    return n;
  }
  static const Plain* field(const Plain::Object& event, const std::string& name) {
    for (const auto& [key, value] : event) {
      if (key == name) return &value;
    }
    return nullptr;
  }
  static std::string text(const Plain::Object& event, const std::string& name) {
    const Plain* value = field(event, name);
    const auto* string = value != nullptr ? std::get_if<std::string>(&value->value) : nullptr;
    return string != nullptr ? *string : "";
  }
  static double number(const Plain::Object& event, const std::string& name) {
    const Plain* value = field(event, name);
    const auto* number = value != nullptr ? std::get_if<double>(&value->value) : nullptr;
    return number != nullptr ? *number : -1;
  }

 private:
  const Plain::Object* find(const std::string& type) const {
    for (const Plain::Object& event : events_) {
      if (text(event, "type") == type) return &event;
    }
    return nullptr;
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Plain::Object> events_;
};

std::string fresh_dir(const char* name) {
  const std::string dir = work_dir + "/" + name;
  std::filesystem::remove_all(dir);
  std::filesystem::create_directories(dir);
  return dir;
}

RecordOptions options_for(const std::string& journal, std::vector<std::string> argv) {
  RecordOptions options{};
  options.argv = std::move(argv);
  for (char** e = environ; *e != nullptr; e++) options.env.emplace_back(*e);
  options.cwd = "/";
  options.journal_dir = journal;
  options.cache_dir = work_dir + "/cache";
  options.agent_path = agent_path;
  options.ring_bytes = 1 << 20;
  options.segment_bytes = 3 << 20;
  options.kick_after_ms = 20;
  return options;
}

Plain::Object record(const std::string& journal, std::vector<std::string> argv,
                     std::vector<std::string>* messages = nullptr) {
  Events events;
  RecordSession session(options_for(journal, std::move(argv)), events.sink());
  Plain::Object end = events.wait("ended");
  if (messages != nullptr) *messages = events.messages();
  return end;
}

Plain::Object replay(const std::string& journal) {
  Events events;
  ReplayOptions options{};
  options.journal_dir = journal;
  options.agent_path = agent_path;
  options.stub_path = stub_path;
  options.scratch_dir = work_dir;
  options.cache_dir = work_dir + "/cache";
  options.ring_bytes = 1 << 20;
  ReplaySession session(options, events.sink());
  return events.wait("ended");
}

void exit_status_comes_back() {
  const std::string journal = fresh_dir("status");
  Plain::Object end = record(journal, {"sh", "-c", "exit 3"});
  CHECK(Events::text(end, "outcome") == "ended");
  CHECK(int(Events::number(end, "status")) == 3 << 8);
  Plain::Object again = replay(journal);
  CHECK(Events::text(again, "outcome") == "ended");
  CHECK(int(Events::number(again, "status")) == 3 << 8);
  CHECK(Events::number(again, "events") == Events::number(end, "events"));
}

void missing_command_is_told() {
  const std::string journal = fresh_dir("missing");
  Events events;
  bool thrown = false;
  try {
    RecordSession session(options_for(journal, {"no-such-command"}), events.sink());
  } catch (const HostError& error) { thrown = error.code == "LAUNCH" && error.error == ENOENT; }
  CHECK(thrown);
  CHECK(events.count("ended") == 0);
}

void ring_may_be_smaller_than_the_journal() {
  const std::string journal = fresh_dir("flood");
  Plain::Object end = record(journal, {"true", "--flood"});
  CHECK(Events::text(end, "outcome") == "ended");
  CHECK(Events::number(end, "bytes") > 8 << 20);
  CHECK(Events::number(end, "segments") == 3);
  Plain::Object again = replay(journal);
  CHECK(Events::text(again, "outcome") == "ended");
  CHECK(Events::number(again, "events") == Events::number(end, "events"));
}

void exec_keeps_the_agent() {
  for (const char* mode : {"exec", "exec-thread", "exec-failed"}) {
    std::vector<std::string> messages;
    Plain::Object end = record(fresh_dir("exec"), {guest_path, mode}, &messages);
    CHECK(int(Events::number(end, "status")) == 7 << 8);
    CHECK(messages == std::vector<std::string>{"second image"});
    // The second image's agent appended as many events as the first's.
    CHECK(Events::number(end, "events") == 2001);
  }
}

void killed_process_becomes_an_event() {
  std::vector<std::string> messages;
  const std::string journal = fresh_dir("killed");
  Plain::Object end = record(journal, {guest_path, "fork-killed"}, &messages);
  CHECK(messages == std::vector<std::string>{"the host took over"});
  CHECK(Events::number(end, "events") == 1002);
  CHECK(Events::text(replay(journal), "outcome") == "ended");
}

void files_are_captured_once() {
  std::vector<std::string> messages;
  const std::string journal = fresh_dir("map");
  record(journal, {guest_path, "map"}, &messages);
  CHECK(messages.size() == 3);
  const std::string size = std::to_string(std::filesystem::file_size(guest_path));
  CHECK(messages.size() == 3 && messages[0] == "map 0 index 0 size " + size + " new 1 path " + guest_path);
  CHECK(messages.size() == 3 && messages[1] == "map 0 index 0 new 0");
  CHECK(messages.size() == 3 && messages[2] == "sites 0 patches 1");
  size_t blobs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(journal + "/blobs")) blobs += entry.is_regular_file();
  CHECK(blobs == 1);
}

// A file size limit stands for a full disk: writes fail from some point on, in the middle of a segment.
void full_disk(bool go_on) {
  const std::string journal = fresh_dir("full");
  rlimit old;
  getrlimit(RLIMIT_FSIZE, &old);
  Events events;
  RecordOptions options = options_for(journal, {"true", "--flood"});
  options.continue_on_journal_error = go_on;
  {
    // Not before the guest runs: the limit holds for memory files too.
    RecordSession session(options, [&, sink = events.sink()](Plain::Object event) {
      const rlimit low{1 << 20, old.rlim_max};
      if (Events::text(event, "type") == "started") setrlimit(RLIMIT_FSIZE, &low);
      sink(std::move(event));
    });
    Plain::Object end = events.wait("ended");
    CHECK(Events::text(end, "outcome") == (go_on ? "unprotected" : "journalError"));
    CHECK(int(Events::number(end, "status")) == (go_on ? 0 : SIGKILL));
    CHECK(events.count("journalError") == 1);
    CHECK(Events::text(events.wait("journalError"), "code") == "EFBIG");
  }
  setrlimit(RLIMIT_FSIZE, &old);
  Plain::Object again = replay(journal);
  CHECK(Events::text(again, "outcome") == "journalEnd");
  CHECK(Events::number(again, "events") > 100);
}

uint64_t valid_events(const std::string& journal, Cut* cut) {
  SegmentReader reader(journal);
  uint64_t events = 0;
  while (auto batch = reader.next()) events += batch->count;
  *cut = reader.cut();
  CHECK(cut->seq == events);
  return events;
}

void write_file(const std::string& path, const std::string& contents) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << contents;
}

// A journal of a few small batches, cut at every byte and with every bit flipped.
void damage_is_found() {
  const std::string journal = fresh_dir("damage");
  std::filesystem::create_directories(journal + "/segments");
  {
    SegmentWriter writer(journal, 1 << 20, 1);
    CHECK(!writer.open_first());
    // [39, 1], then [1, 0x1234, bin]
    for (uint64_t i = 0; i < 3; i++) {
      const uint8_t both[] = {0x92, 0x27, 0x01, 0x93, 0x01, 0xcd, 0x12, 0x34, 0xc4, 0x03, 1, 2, 3};
      CHECK(!writer.append(1 + i * 2, 2, both, sizeof both));
    }
    CHECK(!writer.close(7));
  }
  Cut cut;
  CHECK(valid_events(journal, &cut) == 6);
  CHECK(cut.clean);
  const std::string path = segment_path(journal, 1);
  std::string whole;
  CHECK(read_file(path, &whole));
  uint64_t before = 0;
  for (size_t len = 0; len < whole.size(); len++) {
    write_file(path, whole.substr(0, len));
    const uint64_t events = valid_events(journal, &cut);
    CHECK(!cut.clean && !cut.reason.empty());
    CHECK(events >= before && events % 2 == 0);
    before = events;
  }
  CHECK(before == 6);
  for (size_t bit = 0; bit < whole.size() * 8; bit++) {
    std::string damaged = whole;
    damaged[bit / 8] = char(damaged[bit / 8] ^ (1 << (bit % 8)));
    write_file(path, damaged);
    valid_events(journal, &cut);
    CHECK(!cut.clean);
  }
}

void replay_can_stop_and_be_killed() {
  const std::string journal = fresh_dir("stop");
  record(journal, {"true"});
  Events events;
  ReplayOptions options{};
  options.journal_dir = journal;
  options.agent_path = agent_path;
  options.stub_path = stub_path;
  options.scratch_dir = work_dir;
  options.until_seq = 500;
  options.ring_bytes = 1 << 20;
  ReplaySession session(options, events.sink());
  Plain::Object stopped = events.wait("stopped");
  CHECK(int(Events::number(stopped, "seq")) == 500);
  const pid_t pid = pid_t(Events::number(stopped, "pid"));
  CHECK(kill(pid, 0) == 0);
  session.kill(SIGKILL);
  CHECK(Events::text(events.wait("ended"), "outcome") == "stopped");
  CHECK(kill(pid, 0) != 0);
}

// The recorder is killed: neither the root process nor another member of the group goes on, and what was written is valid.
void no_guest_outlives_the_recorder() {
  const std::string journal = fresh_dir("orphan");
  int channel[2];
  CHECK(pipe2(channel, O_CLOEXEC) == 0);
  const pid_t recorder = fork();
  if (recorder == 0) {
    Events events;
    RecordSession session(options_for(journal, {guest_path, "idle"}), events.sink());
    const std::string text = Events::text(events.wait("message"), "text");
    const int pids[2] = {int(session.pid()), atoi(text.c_str() + strlen("idle "))};
    // Time for the pump to have taken the first events.
    usleep(200'000);
    if (write(channel[1], pids, sizeof pids) != sizeof pids) _exit(1);
    for (;;) pause();
  }
  int pids[2] = {0, 0};
  CHECK(read(channel[0], pids, sizeof pids) == sizeof pids);
  CHECK(pids[0] > 0 && pids[1] > 0 && kill(pids[1], 0) == 0);
  kill(recorder, SIGKILL);
  waitpid(recorder, nullptr, 0);
  auto gone = [](pid_t pid) {
    std::string stat;
    if (!read_file("/proc/" + std::to_string(pid) + "/stat", &stat)) return true;
    const size_t paren = stat.rfind(')');
    return paren != std::string::npos && stat.size() > paren + 2 && (stat[paren + 2] == 'Z' || stat[paren + 2] == 'X');
  };
  bool all_gone = false;
  for (int i = 0; i < 500 && !all_gone; i++) {
    all_gone = gone(pids[0]) && gone(pids[1]);
    usleep(10'000);
  }
  CHECK(all_gone);
  Cut cut;
  CHECK(valid_events(journal, &cut) >= 1000);
  CHECK(!cut.clean);
}

// The stack of a thread that waits in the middle of known functions, from registers that it left in memory.
struct Parked {
  uint64_t regs[18];
  int ready;
};
[[gnu::noinline]] void park_inner(Parked* parked) {
  uint64_t sp, bp, ip, bx;
  asm volatile("mov %%rsp, %0; mov %%rbp, %1; lea 0(%%rip), %2; mov %%rbx, %3"
               : "=r"(sp), "=r"(bp), "=r"(ip), "=r"(bx));
  parked->regs[4] = bp;
  parked->regs[5] = bx;
  parked->regs[15] = ip;
  parked->regs[16] = sp;
  __atomic_store_n(&parked->ready, 1, __ATOMIC_SEQ_CST);
  for (;;) pause();
}
[[gnu::noinline]] void park_outer(Parked* parked) {
  park_inner(parked);
  asm volatile("");
}

void stacks_have_names() {
  auto* parked = static_cast<Parked*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const pid_t child = fork();
  if (child == 0) park_outer(parked);
  while (__atomic_load_n(&parked->ready, __ATOMIC_SEQ_CST) == 0) usleep(1000);
  UnwindHelp help;
  help.original_address = [](uint64_t address) { return address; };
  help.module_name = [](const std::string&) { return std::string("recorded name"); };
  help.problem = [](const std::string& text) { fprintf(stderr, "%s\n", text.c_str()); };
  const std::vector<Frame> frames = unwind(child, child, parked->regs, help);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  CHECK(frames.size() >= 4);
  CHECK(frames.size() >= 4 && frames[0].symbol.find("park_inner") != std::string::npos);
  CHECK(frames.size() >= 4 && frames[1].symbol.find("park_outer") != std::string::npos);
  CHECK(frames.size() >= 4 && frames[0].module == "recorded name" && frames[0].line > 0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return fprintf(stderr, "usage: host_test AGENT STUB GUEST\n"), 2;
  agent_path = argv[1], stub_path = argv[2], guest_path = argv[3];
  char dir[] = "/tmp/understudy-host-test-XXXXXX";
  work_dir = mkdtemp(dir);
  exit_status_comes_back();
  missing_command_is_told();
  ring_may_be_smaller_than_the_journal();
  exec_keeps_the_agent();
  killed_process_becomes_an_event();
  files_are_captured_once();
  full_disk(false);
  full_disk(true);
  damage_is_found();
  replay_can_stop_and_be_killed();
  stacks_have_names();
  no_guest_outlives_the_recorder();
  std::filesystem::remove_all(work_dir);
  printf(failures == 0 ? "host: passed\n" : "host: %d checks failed\n", failures);
  return failures == 0 ? 0 : 1;
}
