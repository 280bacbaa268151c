// What protects a group that runs, while its new backup comes. It is called protected only when the backup holds all that clients may have
// seen: what agents had published when outputs began to wait, however late the pump mirrors it. And a backup that executes more slowly than
// the group works catches up all the same, with no output held up for long. Its state comes in bounded time, however much journal does. The mirror is a real one; the group is a ring that nobody reads.
#include <atomic>

#include "mirror_fixture.h"
#include "pair/protection.h"

using namespace understudy;
using namespace understudy::host;

namespace {

constexpr int kRounds = 20;
constexpr uint64_t kMark = 1000, kPublished = 1'000'000;

uint64_t held(const MemoryFile& memory) { return __atomic_load_n(&memory.control().pair.held, __ATOMIC_SEQ_CST); }

bool soon(const std::function<bool()>& is) {
  for (int i = 0; i < 5000; i++) {
    if (is()) return true;
    usleep(1000);
  }
  return false;
}

// A group, its protection, and a new backup that has been told of the mark.
struct Attached {
  explicit Attached(const std::string& agent)
      : memory(abi::kModeRecord, agent, 1 << 20),
        backup(config_of()),
        protection(
            options(), memory, enclosure,
            [this](const Plain::Object& event) {
              const auto& type = std::get<std::string>(event.front().second.value);
              if (type == "protected") said_protected++;
              if (type == "synchronised") said_synchronised++;
            },
            false) {
    memory.control().pair.held = ~0ull;
    CHECK(!protection.wait_connected(10'000));
    CHECK(protection.mark({}, 5, kMark, false));
  }
  ~Attached() { protection.close("the test is over"); }
  ProtectionOptions options() {
    ProtectionOptions o;
    o.mirror = config_of(uint16_t(backup.receiver->port()));
    return o;
  }

  std::atomic<int> said_protected{0}, said_synchronised{0};
  MemoryFile memory;
  const Enclosure enclosure;
  Backup backup;
  Protection protection;
};

void says_protected_when_it_is(const std::string& agent) {
  Attached attached(agent);
  auto& [said, synchronised, memory, enclosure, backup, protection] = attached;
  abi::Control& control = memory.control();

  // The pump is behind: it mirrors a little at a time of what is in the ring, and each answer of the backup's is looked at.
  std::atomic<bool> stops{false};
  std::atomic<uint64_t> mirrored{kMark};
  const uint8_t event[] = {0x91, 1};
  uint64_t seq = 6;
  const auto tap = [&](uint64_t end) { protection.tap(seq++, 1, event, sizeof event, end); };
  std::thread pump([&] {
    while (!stops) {
      mirrored++;
      tap(mirrored);
    }
  });
  __atomic_store_n(&control.ring.head, kPublished, __ATOMIC_SEQ_CST);
  CHECK(soon([&] { return mirrored > kMark + 100; }));
  CHECK(held(memory) == ~0ull);
  protection.protect();
  CHECK(held(memory) <= mirrored);
  usleep(10'000);
  stops = true;
  pump.join();
  CHECK(mirrored < kPublished);
  CHECK(soon([&] { return held(memory) == mirrored; }));
  CHECK(said == 0);
  tap(kPublished - 1);
  CHECK(soon([&] { return held(memory) == kPublished - 1; }));
  CHECK(said == 0);
  tap(kPublished);
  CHECK(soon([&] { return said == 1; }));
}

// The group would do twice as much in a second as the backup executes.
void catches_up(const std::string& agent) {
  constexpr uint64_t kStep = 20'000;  // bytes of the ring between two outputs
  constexpr useconds_t kStepUs = 200;
  constexpr uint64_t kLongestNs = 200'000'000;  // it is less than a fifth of that on a machine with nothing else to do
  Attached attached(agent);
  abi::Control& control = attached.memory.control();
  Backup& backup = attached.backup;
  std::atomic<bool> stops{false};
  std::atomic<uint64_t> worst_ns{0}, outputs{0};
  std::thread group([&] {
    const uint8_t event[] = {0x91, 1};
    uint64_t head = kMark;
    for (uint64_t seq = 6; !stops; seq++) {
      head += kStep;
      __atomic_store_n(&control.ring.head, head, __ATOMIC_SEQ_CST);
      attached.protection.tap(seq, 1, event, sizeof event, head);
      const uint64_t at = monotonic_ns();
      while (held(attached.memory) < head && !stops) usleep(50);
      worst_ns = std::max<uint64_t>(worst_ns, monotonic_ns() - at);
      outputs++;
      usleep(kStepUs);
    }
  });
  std::thread replica([&] {
    CHECK(backup.wait([&] { return !backup.records.empty(); }));
    usleep(200'000);  // it is restored
    for (size_t next = 0; !stops; usleep(kStepUs * 2)) {
      const std::lock_guard lock(backup.mutex);
      if (next < backup.records.size()) backup.receiver->set_applied(backup.records[next++].position);
    }
  });
  const uint64_t begun = monotonic_ns();
  bool did = false;
  while (!did && monotonic_ns() - begun < 20'000'000'000) {
    attached.protection.pace();
    usleep(5000);
    did = attached.said_synchronised != 0;
  }
  CHECK(did);
  const uint64_t paced = outputs;
  CHECK(paced > 1000);
  attached.protection.protect();
  CHECK(soon([&] { return attached.said_protected == 1; }));
  CHECK(soon([&] { return outputs > paced + 100; }));
  stops = true;
  group.join();
  replica.join();
  CHECK(worst_ns < kLongestNs);
  printf("caught up after %.1f s, %llu outputs, the longest wait %.1f ms\n", double(monotonic_ns() - begun) / 1e9,
         static_cast<unsigned long long>(outputs.load()), double(worst_ns) / 1e6);
}

// The group's journal fills the mirror all the time: the backup takes less than the group does.
void state_comes_through(const std::string& agent, const std::string& file) {
  constexpr uint64_t kStateBytes = 16 << 20, kJournalPiece = 64 << 10;
  constexpr useconds_t kPieceUs = 500;
  std::atomic<uint64_t> state_bytes{0}, journal_bytes{0};
  MirrorConfig config = config_of();
  config.ring_bytes = 16 << 20;
  MirrorReceiver::Hooks hooks;
  hooks.on_record = [&](const MirrorRecord& r) {
    (PairRecord(r.type) == PairRecord::State ? state_bytes : journal_bytes) += r.size;
    if (PairRecord(r.type) == PairRecord::Journal) usleep(kPieceUs);
  };
  MirrorReceiver receiver(config, std::move(hooks));
  config.port = uint16_t(receiver.port());
  ProtectionOptions options;
  options.mirror = config;
  MemoryFile memory(abi::kModeRecord, agent, 1 << 20);
  const Enclosure enclosure;
  Protection protection(
      options, memory, enclosure, [](const Plain::Object&) {}, false);
  CHECK(!protection.wait_connected(10'000));
  CHECK(protection.mark({}, 5, kMark, false));
  std::atomic<bool> stops{false};
  std::thread pump([&] {
    const std::vector<uint8_t> events(kJournalPiece, 1);
    for (uint64_t seq = 6; !stops; seq++) protection.tap(seq, 1, events.data(), events.size(), kMark + seq);
  });
  UniqueFd state(open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const std::string content_of_it = content(1, kStateBytes);
  CHECK(write(state.get(), content_of_it.data(), kStateBytes) == ssize_t(kStateBytes));
  CHECK(soon([&] { return journal_bytes > config.ring_bytes; }));
  const uint64_t begun = monotonic_ns(), journal_before = journal_bytes;
  std::atomic<bool> sent{false};
  std::thread sender([&] { sent = protection.send_state(file, 5, {}); });
  CHECK(soon([&] { return state_bytes >= kStateBytes; }));
  const double s = double(monotonic_ns() - begun) / 1e9;
  const uint64_t beside = journal_bytes - journal_before;
  // It has taken a third of the mirror, and not much more.
  CHECK(beside > kStateBytes);
  CHECK(beside < 6 * kStateBytes);
  stops = true;
  pump.join();
  sender.join();
  CHECK(sent);
  protection.close("the test is over");
  unlink(file.c_str());
  printf("%.0f MB of state in %.1f s beside %.0f MB of journal\n", double(kStateBytes) / 1e6, s, double(beside) / 1e6);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s AGENT\n", argv[0]);
    return 2;
  }
  for (int i = 0; i < kRounds && failures == 0; i++) says_protected_when_it_is(argv[1]);
  catches_up(argv[1]);
  state_comes_through(argv[1], "state-of-protection-test." + std::to_string(getpid()));
  if (failures == 0) printf("ok\n");
  return failures == 0 ? 0 : 1;
}
