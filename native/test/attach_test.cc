// A backup for a group that runs: a primary without one gets one while its program works, which restores it from the primary's memory, follows
// it, and becomes the original when the primary's program is killed. Twice, so that a backup that has taken over gets one, too. Each
// second round with passive backups. The program
// must come to the result that it comes to by itself. With the real agent, each host a namespace (needs root); the service has no network.
//
// usage: attach_test AGENT STUB INIT ROUNDS COMMAND [ARGUMENT...]    the command writes its result to the file $OUT, always the same
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <map>

#include "net_lab.h"
#include "pair_fixture.h"
#include "pair/backup.h"
#include "pair/primary.h"

using namespace understudy;
using namespace understudy::host;
namespace fs = std::filesystem;

namespace {

struct Paths {
  std::string agent, stub, init, dir, out, own;
};

// What a session has said so far.
class Log {
 public:
  explicit Log(std::string name) : name_(std::move(name)) {}
  EmitEvent emit() {
    return [this](Plain::Object event) {
      std::string type = std::get<std::string>(event.front().second.value), text = type;
      for (const auto& [field, value] : event) {
        if (field == "type") continue;
        if (const auto* s = std::get_if<std::string>(&value.value)) text += " " + field + "=" + *s;
        if (const auto* n = std::get_if<double>(&value.value)) {
          char number[32];
          snprintf(number, sizeof number, "%.15g", *n);
          text += " " + field + "=" + number;
        }
      }
      std::lock_guard lock(mutex_);
      printf("%s: %s\n", name_.c_str(), text.c_str());
      if (type == "mirror") type = "mirror-" + std::get<std::string>(event[1].second.value);
      seen_[type]++;
      if (type == "guestEnded") status_ = int(std::get<double>(event[1].second.value));
      changed_.notify_all();
    };
  }
  bool wait(const std::string& type, int seconds) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(seconds), [&] {
      return seen_[type] > 0 || seen_["attachFailed"] > 0 || seen_["diverged"] > 0 || seen_["takeoverFailed"] > 0;
    }) && seen_[type] > 0;
  }
  int count(const std::string& type) {
    std::lock_guard lock(mutex_);
    return seen_[type];
  }
  int status() {
    std::lock_guard lock(mutex_);
    return status_;
  }

 private:
  const std::string name_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, int> seen_;
  int status_ = -1;
};

const Lab::Addresses kAddresses{"10.87.0.3", "10.87.0.1", "10.87.0.2", 24};
// By epoch.
const char* host_of(uint64_t epoch) { return epoch == 1 ? "a" : epoch == 2 ? "b" : "c"; }
const std::string& address_of(uint64_t epoch) {
  return epoch == 1 ? kAddresses.a : epoch == 2 ? kAddresses.b : kAddresses.client;
}

// Passive backups have none: they write nothing.
std::string own_dir(const Paths& paths, uint64_t epoch) { return paths.dir + "/own-" + std::to_string(epoch); }
Namespaces isolation_with(const Paths& paths, uint64_t epoch, bool own) {
  Namespaces isolation = isolation_of(paths.init);
  if (!own) return isolation;
  fs::create_directories(own_dir(paths, epoch));
  isolation.binds.push_back({own_dir(paths, epoch), paths.own});
  return isolation;
}

MirrorConfig mirror_of(uint64_t epoch, uint16_t port) {
  MirrorConfig config;
  config.provider = "tcp";
  config.address = address_of(epoch);
  config.port = port;
  config.service = "attached";
  config.epoch = epoch;
  config.key.assign(32, uint8_t(7));
  config.heartbeat_ms = 20;
  config.deadline_ms = 5000;  // other tests may have the processors
  return config;
}

PrimaryOptions primary_options(const Paths& paths, const std::vector<std::string>& command, bool own) {
  PrimaryOptions options{};
  RecordOptions& record = options.record;
  record.argv = command;
  for (char** e = environ; *e != nullptr; e++) record.env.emplace_back(*e);
  record.cwd = paths.dir;
  record.journal_dir = paths.dir + "/journal-1";
  record.cache_dir = paths.dir + "/cache";
  record.agent_path = paths.agent;
  record.ring_bytes = abi::kRingSizeMin * 4;
  record.segment_bytes = 64 << 20;
  record.epoch = 1;
  record.kick_after_ms = 2;
  if (own) record.env.push_back("OWN=" + paths.own);
  record.isolation = isolation_with(paths, 1, own);
  return options;
}

BackupOptions backup_options(const Paths& paths, uint64_t epoch, bool passive) {
  BackupOptions options{};
  ReplicaOptions& replica = options.replica;
  replica.journal_dir = paths.dir + "/journal-" + std::to_string(epoch);
  replica.agent_path = paths.agent;
  replica.stub_path = paths.stub;
  replica.scratch_dir = replica.journal_dir + "/scratch";
  replica.cache_dir = paths.dir + "/cache";
  replica.ring_bytes = abi::kRingSizeMin * 4;
  replica.segment_bytes = 64 << 20;
  replica.epoch = epoch;
  replica.kick_after_ms = 2;
  replica.isolation = isolation_with(paths, epoch, !passive);
  // What lies there from before is not to be there afterwards.
  if (!passive) {
    options.storage = {own_dir(paths, epoch)};
    std::ofstream(own_dir(paths, epoch) + "/old") << "of another time";
  }
  fs::create_directories(replica.scratch_dir);
  options.mirror = mirror_of(epoch, 0);
  options.from_checkpoint = true;
  options.passive = passive;
  return options;
}

// What it does alone.
std::string expected_of(const Paths& paths, const std::vector<std::string>& command, int* status) {
  PrimaryOptions options = primary_options(paths, command, false);
  options.record.journal_dir = paths.dir + "/journal-alone";
  Log log("alone");
  PrimarySession session(options, log.emit());
  if (!log.wait("guestEnded", 60)) return "";
  *status = log.status();
  session.kill(SIGKILL);
  log.wait("ended", 10);
  return read_text(paths.out);
}

template <class T>
std::unique_ptr<T> start_on(Lab& lab, uint64_t epoch, const std::function<std::unique_ptr<T>()>& make) {
  std::unique_ptr<T> out;
  lab.in(host_of(epoch), [&] { out = make(); });
  return out;
}

template <class Running>
std::string attach(Lab& lab, const Paths& paths, Running& running, Log& log, BackupSession& backup, uint64_t epoch,
                   uint64_t state_every_ms) {
  std::vector<StorageRoot> storage;
  if (state_every_ms == 0) storage.push_back({own_dir(paths, epoch - 1), ""});
  lab.in(host_of(epoch - 1), [&] {
    running.attach_backup({mirror_of(epoch, backup.port()), std::nullopt, storage, state_every_ms});
  });
  if (!log.wait("synchronised", 30)) return "the backup of epoch " + std::to_string(epoch) + " does not follow";
  running.protect();
  if (!log.wait("protected", 10)) return "epoch " + std::to_string(epoch) + " does not become protected";
  return "";
}

std::string run(Lab& lab, const Paths& paths, const std::vector<std::string>& command, int wait_ms,
                const std::string& expected, int expected_status, bool passive) {
  fs::remove(paths.out);
  const uint64_t every_ms = passive ? 100 : 0;
  for (const char* dir : {"/journal-1", "/journal-2", "/journal-3", "/own-1", "/own-2", "/own-3"})
    fs::remove_all(paths.dir + dir);
  Log first_log("first"), second_log("second"), third_log("third");
  auto start_backup = [&](uint64_t epoch, Log& log) {
    return start_on<BackupSession>(
        lab, epoch, [&] { return std::make_unique<BackupSession>(backup_options(paths, epoch, passive), log.emit()); });
  };
  const auto first = start_on<PrimarySession>(lab, 1, [&] {
    return std::make_unique<PrimarySession>(primary_options(paths, command, !passive), first_log.emit());
  });
  usleep(useconds_t(wait_ms) * 1000);
  const auto second = start_backup(2, second_log);
  if (std::string why = attach(lab, paths, *first, first_log, *second, 2, every_ms); !why.empty()) return why;
  usleep(passive ? 700'000 : 20'000);
  kill(first->pid(), SIGKILL);
  if (!first_log.wait("guestLost", 10) || !second_log.wait("release", 10)) return "the first guest was not lost";
  lab.in(host_of(2), [&] { second->take_over(2); });
  if (!second_log.wait("live", 20)) return "the second does not go live";
  usleep(useconds_t(wait_ms) * 1000);
  const auto third = start_backup(3, third_log);
  if (std::string why = attach(lab, paths, *second, second_log, *third, 3, every_ms); !why.empty()) return why;
  kill(second->pid(), SIGKILL);
  if (!second_log.wait("guestLost", 10) || !third_log.wait("release", 10)) return "the second guest was not lost";
  lab.in(host_of(3), [&] { third->take_over(3); });
  if (!third_log.wait("live", 20)) return "the third does not go live";
  if (!third_log.wait("guestEnded", 60)) return "the guest does not come to its end";
  for (Session* s : std::initializer_list<Session*>{first.get(), second.get(), third.get()}) s->kill(SIGKILL);
  for (Log* log : {&first_log, &second_log, &third_log})
    if (!log->wait("ended", 20)) return "a session does not end";
  if (third_log.status() != expected_status) return "another status";
  if (read_text(paths.out) != expected) return "another result";
  return "";
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return 2;
  if (geteuid() != 0) {
    printf("skipped: namespaces need root\n");
    return 77;
  }
  setvbuf(stdout, nullptr, _IOLBF, 0);
  char name[] = "/tmp/understudy-attach-test-XXXXXX";
  Paths paths{argv[1], argv[2], argv[3], mkdtemp(name), "", ""};
  paths.out = paths.dir + "/out";
  paths.own = paths.dir + "/own";
  fs::create_directories(paths.own);
  setenv("OUT", paths.out.c_str(), 1);
  const int rounds = atoi(argv[4]);
  const std::vector<std::string> command(argv + 5, argv + argc);
  int status = 0, failures = 0;
  const std::string expected = expected_of(paths, command, &status);
  if (expected.empty()) {
    printf("the guest does not come to its end alone\n");
    return 1;
  }
  Lab lab(kAddresses);
  for (int i = 0; i < rounds; i++) {
    std::string why;
    try {
      why = run(lab, paths, command, 100 + 60 * i, expected, status, i % 2 != 0);
    } catch (const HostError& error) { why = error.what(); }
    printf("round %d: %s\n", i, why.empty() ? "as alone" : why.c_str());
    failures += !why.empty();
  }
  if (failures == 0) fs::remove_all(paths.dir);
  else printf("kept: %s\n", paths.dir.c_str());
  return failures != 0;
}
