// A group that runs is called protected only when its new backup holds all that clients may have seen: what agents had published when
// outputs began to wait, however late the pump mirrors it. The mirror is a real one; the group is a ring that nobody reads.
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

void one_round(const std::string& agent) {
  MemoryFile memory(abi::kModeRecord, agent, 1 << 20);
  abi::Control& control = memory.control();
  control.pair.held = ~0ull;
  const Enclosure enclosure;
  Backup backup(config_of());
  std::atomic<int> said{0};
  ProtectionOptions options;
  options.mirror = config_of(uint16_t(backup.receiver->port()));
  Protection protection(
      options, memory, enclosure,
      [&](const Plain::Object& event) {
        if (std::get<std::string>(event.front().second.value) == "protected") said++;
      },
      false);
  CHECK(!protection.wait_connected(10'000));
  { const auto none = protection.mark({}, 5, kMark, false); }

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
  protection.close("the test is over");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: %s AGENT\n", argv[0]);
    return 2;
  }
  for (int i = 0; i < kRounds && failures == 0; i++) one_round(argv[1]);
  if (failures == 0) printf("ok\n");
  return failures == 0 ? 0 : 1;
}
