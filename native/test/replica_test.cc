// Going live from the middle of a journal: a program is recorded to its end; then replicas are fed only a part of the journal,
// go live there, and must come to the same end by themselves. With the real agent, in namespaces (needs root).
//
// usage: replica_test AGENT STUB INIT CUTS COMMAND [ARGUMENT...]    the command writes its result to the file $OUT
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "msgpack.h"
#include "pair_fixture.h"
#include "pair/replica.h"
#include "session.h"

using namespace understudy;
using namespace understudy::host;
namespace fs = std::filesystem;

namespace {

struct Event {
  std::vector<uint8_t> bytes;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) return 2;
  if (geteuid() != 0) {
    printf("skipped: namespaces need root\n");
    return 77;
  }
  const std::string agent = argv[1], stub = argv[2], init = argv[3];
  const int cuts = atoi(argv[4]);
  std::vector<std::string> command(argv + 5, argv + argc);
  char name[] = "/tmp/understudy-replica-test-XXXXXX";
  const std::string dir = mkdtemp(name), out = dir + "/out";
  setenv("OUT", out.c_str(), 1);

  std::vector<std::string> env;
  for (char** e = environ; *e != nullptr; e++) env.emplace_back(*e);
  RecordOptions record{};
  record.argv = command;
  record.env = env;
  record.cwd = dir;
  record.journal_dir = dir + "/journal";
  record.cache_dir = dir + "/cache";
  record.agent_path = agent;
  record.ring_bytes = abi::kRingSizeMin * 4;
  record.segment_bytes = 64 << 20;
  record.epoch = 1;
  record.kick_after_ms = 2;
  record.isolation = isolation_of(init);
  record.as_primary = true;
  std::mutex mutex;
  std::condition_variable changed;
  bool ended = false;
  int status = -1;
  {
    RecordSession session(record, [&](Plain::Object event) {
      const auto& type = std::get<std::string>(event.front().second.value);
      if (type == "message") printf("record: %s\n", std::get<std::string>(event[2].second.value).c_str());
      if (type != "ended") return;
      std::lock_guard lock(mutex);
      ended = true;
      status = int(std::get<double>(event[1].second.value));
      changed.notify_all();
    });
    std::unique_lock lock(mutex);
    if (!changed.wait_for(lock, std::chrono::seconds(60), [&] { return ended; })) {
      printf("the recording does not end\n");
      return 1;
    }
  }
  const std::string expected = read_text(out);
  std::vector<Event> events;
  SegmentReader reader(record.journal_dir);
  while (auto batch = reader.next()) {
    const uint8_t *p = batch->events, *end = p + batch->len;
    while (p < end) {
      const size_t n = event_length(p, end);
      events.push_back({{p, p + n}});
      p += n;
    }
  }
  printf("recorded: status %d, %zu events, %zu bytes of output\n", status, events.size(), expected.size());

  int failures = 0;
  // A plain replay, too: it has none of the group's pipes and sockets, and what only replicas need must not disturb it.
  {
    ReplayOptions replay{};
    replay.journal_dir = record.journal_dir;
    replay.agent_path = agent;
    replay.stub_path = stub;
    replay.scratch_dir = dir + "/replay";
    replay.cache_dir = dir + "/cache";
    replay.ring_bytes = abi::kRingSizeMin * 4;
    replay.quiet = true;
    fs::create_directories(replay.scratch_dir);
    std::string outcome;
    ReplaySession session(replay, [&](Plain::Object event) {
      std::lock_guard lock(mutex);
      if (std::get<std::string>(event.front().second.value) == "diverged") outcome = "diverged";
      if (std::get<std::string>(event.front().second.value) != "ended") return;
      for (auto& [field, value] : event)
        if (field == "outcome" && outcome.empty()) outcome = std::get<std::string>(value.value);
      changed.notify_all();
      ended = false;
    });
    std::unique_lock lock(mutex);
    if (!changed.wait_for(lock, std::chrono::seconds(60), [&] { return !ended; })) outcome = "it does not end";
    if (outcome != "ended") {
      printf("plain replay: %s\n", outcome.c_str());
      failures++;
    }
  }
  const int before = failures;
  unsetenv("OUT");
  for (int i = 1; i <= cuts; i++) {
    // Not the very beginning: the image must be there.
    size_t cut = events.size() * size_t(i) / size_t(cuts + 1);
    size_t from = 0, to = 0;
    if (const char* range = getenv("RANGE"); range != nullptr && sscanf(range, "%zu-%zu", &from, &to) == 2)
      cut = from + (to - from) * size_t(i) / size_t(cuts + 1);
    // Events of one call belong together: a mirror's last record ends with a call.
    auto kind = [&](size_t at) { return events[at].bytes[1]; };
    while (cut < events.size() && (kind(cut) == 0xfa || kind(cut) == 0xf9 || kind(cut) == 0xf8 || kind(cut) == 0xf7))
      cut++;
    fs::remove(out);
    const std::string journal = dir + "/replica-" + std::to_string(i);
    fs::create_directories(journal);
    fs::copy(record.journal_dir + "/blobs", journal + "/blobs", fs::copy_options::recursive);
    fs::create_directories(journal + "/scratch");
    ReplicaOptions options{};
    options.journal_dir = journal;
    options.agent_path = agent;
    options.stub_path = stub;
    options.scratch_dir = journal + "/scratch";
    options.cache_dir = dir + "/cache";
    options.ring_bytes = abi::kRingSizeMin * 4;
    options.segment_bytes = 64 << 20;
    options.epoch = 1;
    options.kick_after_ms = 2;
    options.isolation = isolation_of(init);
    options.output_path = journal + "/output";
    bool over = false;
    int end_status = -1;
    std::string trouble;
    Replica::Hooks hooks;
    hooks.message = [&](abi::MessageLevel, const std::string& text) { printf("cut %zu: %s\n", cut, text.c_str()); };
    hooks.diverged = [&](Plain::Object event) {
      std::lock_guard lock(mutex);
      for (auto& [field, value] : event) {
        if (auto* text = std::get_if<std::string>(&value.value)) trouble += field + "=" + *text + " ";
        if (auto* number = std::get_if<double>(&value.value))
          trouble += field + "=" + std::to_string(int64_t(*number)) + " ";
      }
      over = true;
      changed.notify_all();
    };
    hooks.journal_failed = [&](const PumpFailure& failure) { printf("journal: %s\n", failure.text.c_str()); };
    hooks.ended = [&](int code, bool) {
      std::lock_guard lock(mutex);
      over = true;
      end_status = code;
      changed.notify_all();
    };
    {
      Replica replica(options, hooks);
      bool ok = true;
      for (size_t e = 0; ok && e < cut; e++)
        ok = replica.feed(e + 1, 1, events[e].bytes.data(), events[e].bytes.size());
      std::string why = replica.drain(5000);
      if (why.empty()) {
        if (auto error = replica.go_live(2, getenv("OFFSET") != nullptr ? atoll(getenv("OFFSET")) : 0))
          why = error->path;
        std::unique_lock lock(mutex);
        if (why.empty() && !changed.wait_for(lock, std::chrono::seconds(20), [&] { return over; })) {
          why = "does not end after going live";
          if (getenv("HOLD")) {
            printf("%s: root is %d\n", why.c_str(), replica.pid());
            fflush(stdout);
            sleep(1000);
          }
        }
      } else if (getenv("HOLD")) {
        printf("%s: root is %d\n", why.c_str(), replica.pid());
        fflush(stdout);
        sleep(1000);
      }
      std::lock_guard lock(mutex);
      if (!trouble.empty()) why += " " + trouble;
      const std::string have = read_text(out);
      if (why.empty() && have != expected) {
        why = "another result: " + std::to_string(have.size()) + " bytes, status " + std::to_string(end_status);
        std::ofstream(journal + "/result") << have;
      }
      if (why.empty() && end_status != status) why = "status " + std::to_string(end_status);
      if (!why.empty()) {
        printf("cut after event %zu: %s\n", cut, why.c_str());
        failures++;
      }
    }
  }
  printf("%d of %d went live and came to the same end\n", cuts - (failures - before), cuts);
  if (failures == 0) fs::remove_all(dir);
  else printf("kept: %s\n", dir.c_str());
  return failures != 0;
}
