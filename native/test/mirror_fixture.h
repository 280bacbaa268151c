// What the mirror's tests share: two ends that remember what they were told, a child process, a runner.
#pragma once
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>

#include "mirror/receiver.h"
#include "mirror/sender.h"

namespace understudy::host {

inline int failures = 0;
#define CHECK(condition)                                             \
  do {                                                               \
    if (!(condition)) {                                              \
      printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      failures++;                                                    \
    }                                                                \
  } while (0)
#define CHECK_HAS(text, part)                                                                                      \
  do {                                                                                                             \
    const std::string text_ = (text);                                                                              \
    if (text_.find(part) == std::string::npos) {                                                                   \
      printf("%s:%d: failed: '%s' is not in: %s\n", __FILE__, __LINE__, std::string(part).c_str(), text_.c_str()); \
      failures++;                                                                                                  \
    }                                                                                                              \
  } while (0)

inline MirrorConfig config_of(uint16_t port = 0) {
  MirrorConfig config;
  config.address = "127.0.0.1";
  config.port = port;
  config.service = "orders";
  config.epoch = 7;
  config.key.assign(32, 0x5a);
  config.ring_bytes = 1 << 20;
  // Bounds are generous here: this machine is busy with other tests, and figures belong into bench/.
  config.deadline_ms = 200;
  return config;
}

struct Got {
  uint32_t type;
  uint64_t seq, position;
  std::string data;
};

// A receiver that remembers what it was told.
class Backup {
 public:
  explicit Backup(MirrorConfig config) {
    MirrorReceiver::Hooks hooks;
    hooks.on_connected = [this](const MirrorPeer& p) { set([&] { peer = p; }); };
    hooks.on_record = [this](const MirrorRecord& r) {
      std::unique_lock hold(mutex);
      changed.wait(hold, [&] { return !blocked; });
      records.push_back({r.type, r.seq, r.position, std::string(reinterpret_cast<const char*>(r.data), r.size)});
      changed.notify_all();
    };
    hooks.on_lost = [this](const MirrorLoss& l) { set([&] { loss = l; }); };
    hooks.on_end = [this](uint64_t received) { set([&] { end = received; }); };
    hooks.on_incident = [this](const std::string& text) { set([&] { incidents += text + "\n"; }); };
    receiver.emplace(std::move(config), std::move(hooks));
  }
  ~Backup() {
    set([&] { blocked = false; });
    receiver.reset();
  }
  template <class Change>
  void set(Change change) {
    const std::lock_guard hold(mutex);
    change();
    changed.notify_all();
  }
  template <class Until>
  bool wait(Until until, int ms = 20000) {
    std::unique_lock hold(mutex);
    return changed.wait_for(hold, std::chrono::milliseconds(ms), until);
  }
  std::string heard() {
    const std::lock_guard hold(mutex);
    return incidents;
  }
  std::mutex mutex;
  std::condition_variable changed;
  bool blocked = false;
  std::optional<MirrorPeer> peer;
  std::vector<Got> records;
  std::optional<MirrorLoss> loss;
  std::optional<uint64_t> end;
  std::string incidents;
  std::optional<MirrorReceiver> receiver;
};

class Primary {
 public:
  explicit Primary(MirrorConfig config) {
    MirrorSender::Hooks hooks;
    hooks.on_watermarks = [this](const Watermarks& w) { set([&] { marks = w; }); };
    hooks.on_lost = [this](const MirrorLoss& l) { set([&] { loss = l; }); };
    sender.emplace(std::move(config), std::move(hooks));
  }
  ~Primary() { sender.reset(); }
  uint64_t append(uint32_t type, uint64_t seq, const std::string& data, bool flush = true) {
    const iovec part{const_cast<char*>(data.data()), data.size()};
    return sender->append(type, seq, &part, 1, flush);
  }
  template <class Change>
  void set(Change change) {
    const std::lock_guard hold(mutex);
    change();
    changed.notify_all();
  }
  template <class Until>
  bool wait(Until until, int ms = 20000) {
    std::unique_lock hold(mutex);
    return changed.wait_for(hold, std::chrono::milliseconds(ms), until);
  }
  std::mutex mutex;
  std::condition_variable changed;
  Watermarks marks;
  std::optional<MirrorLoss> loss;
  std::optional<MirrorSender> sender;
};

// A program of this test in a process of its own.
class Child {
 public:
  explicit Child(std::vector<std::string> args) {
    int out[2];
    if (pipe2(out, O_CLOEXEC) != 0) abort();
    pid = fork();
    if (pid == 0) {
      dup2(out[1], 1);
      std::vector<char*> argv;
      static char self[] = "/proc/self/exe";
      argv.push_back(self);
      for (std::string& arg : args) argv.push_back(arg.data());
      argv.push_back(nullptr);
      execv(self, argv.data());
      _exit(127);
    }
    close(out[1]);
    from.reset(out[0]);
  }
  ~Child() {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  std::string line() {
    std::string text;
    char c;
    while (read(from.get(), &c, 1) == 1 && c != '\n') text += c;
    return text;
  }
  pid_t pid;
  UniqueFd from;
};

inline std::string content(uint64_t seq, size_t bytes) {
  std::string out(bytes, 0);
  std::minstd_rand random(static_cast<unsigned>(seq + 1));
  for (char& c : out) c = char(random());
  return out;
}

struct Scenario {
  const char* name;
  void (*run)();
};
// All of them, or those whose name contains `part`. Returns the exit status.
template <size_t N>
int run_scenarios(const Scenario (&scenarios)[N], const char* part) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  for (const Scenario& scenario : scenarios) {
    if (part != nullptr && strstr(scenario.name, part) == nullptr) continue;
    const int before = failures;
    const uint64_t began = monotonic_ns();
    scenario.run();
    printf("%s %s (%lu ms)\n", failures == before ? "ok    " : "FAILED", scenario.name,
           static_cast<unsigned long>((monotonic_ns() - began) / 1'000'000));
  }
  printf(failures == 0 ? "mirror: passed\n" : "mirror: %d checks failed\n", failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace understudy::host
