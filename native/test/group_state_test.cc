// The core's sections of a checkpoint: what is written is read again, and nothing malformed is believed.
#include "checkpoint/group_state.h"

#include <stdio.h>

#include <random>

using namespace understudy::host::checkpoint;
namespace abi = understudy::abi;

static int failures;
#define CHECK(condition)                                                      \
  do {                                                                        \
    if (!(condition)) {                                                       \
      fprintf(stderr, "%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      failures++;                                                             \
    }                                                                         \
  } while (0)

static GroupState example() {
  GroupState g;
  g.agent_sha = std::string(64, 'a');
  g.guest_fd = 1023;
  g.last_gtid = 2;
  g.next_gtid = 4;
  g.next_process = 2;
  g.clocks = {0, 1ull << 62, 7};
  ProcessState p;
  p.slot = 1;
  p.space = 9;
  p.pid = 77;
  p.process_block = abi::kThreadsAddr + 1600;
  p.stack_limit = ~0ull;
  p.kept = std::string(300, '\0');
  p.fd_emit = std::string("\0\1\2", 3);
  p.session = -1;
  g.processes = {p, ProcessState{}};
  g.processes[1].slot = 3;
  g.processes[1].ended = true;
  g.threads = {{2, 1, 78, abi::kResumeCode, 5000, abi::kThreadsAddr, 0x7fff, std::string(2696, 'x')}};
  g.blocks = {{1, abi::kThreadsAddr, std::string(abi::kThreadBytes, 'b')}};
  g.blobs = {{0, 10, 1, 2, std::string(64, '0'), "/bin/sh"}};
  g.shared = {{10, SharedState::kFile, 1, 2, 4096}};
  return g;
}

static std::string decoded(const GroupState& in, GroupState* out) { return decode_group(encode_group(in), out); }

int main() {
  GroupState out;
  CHECK(decoded(example(), &out).empty());
  CHECK(encode_group(out).size() == encode_group(example()).size());
  for (size_t i = 0; i < encode_group(out).size(); i++)
    CHECK(encode_group(out)[i].name == encode_group(example())[i].name &&
          encode_group(out)[i].data == encode_group(example())[i].data);
  CHECK(out.processes[0].session == -1 && out.processes[1].ended && out.clocks[1] == 1ull << 62);

  const auto refused = [](auto change) {
    GroupState g = example(), ignored;
    change(&g);
    return !decoded(g, &ignored).empty();
  };
  CHECK(!refused([](GroupState*) {}));
  CHECK(refused([](GroupState* g) { g->threads.clear(); }));
  CHECK(refused([](GroupState* g) { g->threads[0].process = 5; }));
  CHECK(refused([](GroupState* g) { g->threads[0].block += abi::kThreadBlock; }));
  CHECK(refused([](GroupState* g) { g->threads[0].resume = abi::kResumeBusy; }));
  CHECK(refused([](GroupState* g) { g->threads[0].xsave.resize(100); }));
  CHECK(refused([](GroupState* g) { g->blocks[0].bytes.resize(100); }));
  CHECK(refused([](GroupState* g) { g->blocks[0].address = 0x400000; }));
  CHECK(refused([](GroupState* g) { g->processes[0].slot = abi::kMaxProcesses; }));
  CHECK(refused([](GroupState* g) { g->processes[0].process_block = 0x400000; }));
  CHECK(refused([](GroupState* g) { g->processes[0].fd_emit.resize(2000); }));
  CHECK(refused([](GroupState* g) { g->clocks.resize(100); }));

  // Cut off, or with other bytes, it is refused or understood, and never read beyond its end.
  std::mt19937 random(1);
  const std::vector<Section> good = encode_group(example());
  for (size_t which = 0; which < good.size(); which++) {
    std::vector<Section> sections = good;
    sections.erase(sections.begin() + long(which));
    GroupState ignored;
    CHECK(!decode_group(sections, &ignored).empty());
    for (int round = 0; round < 300; round++) {
      sections = good;
      std::string& data = sections[which].data;
      if (round < 100) data.resize(random() % data.size());
      else data[random() % data.size()] = char(random());
      GroupState result;
      const std::string wrong = decode_group(sections, &result);
      if (round < 100) CHECK(!wrong.empty());
    }
  }
  uint32_t kind = 0;
  uint64_t number = 0;
  CHECK(decode_region_kind(encode_region_kind(abi::kRestoreShared, 12345), &kind, &number));
  CHECK(kind == abi::kRestoreShared && number == 12345);
  CHECK(!decode_region_kind("", &kind, &number));
  if (failures == 0) printf("ok\n");
  return failures == 0 ? 0 : 1;
}
