// State files: what was written is read, damage anywhere is found and named, interruption and a full disk leave the last good one, and
// chains say the same as a plain model of memory, folded or not.
#include "checkpoint/state_chain.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <map>
#include <random>

#include "checkpoint/state_dir.h"
#include "expect.h"

using namespace understudy::host;
using namespace understudy::host::checkpoint;

namespace {

std::string scratch;

std::string fresh(const char* name) {
  const std::string dir = scratch + "/" + name;
  std::filesystem::remove_all(dir);
  make_dirs(dir);
  return dir;
}

using Page = std::vector<uint8_t>;
Page page_of(uint64_t content) {
  Page page(kPageBytes);
  if (content != 0) {
    std::mt19937_64 random(content);
    for (size_t i = 0; i < kPageBytes; i += 8) {
      const uint64_t word = random();
      memcpy(&page[i], &word, 8);
    }
  }
  return page;
}

Manifest manifest_of(uint64_t seq, std::vector<Region> regions) {
  Manifest m;
  m.self.seq = seq;
  m.epoch = 3;
  m.spaces.push_back({7, Space::kProcess, 42, "program", std::move(regions)});
  m.sections.push_back({"threads", "\x93\x01\x02\x03"});
  return m;
}

// What a checkpoint says of one space, page by page: only pages that some run tells of.
std::map<uint64_t, Page> contents(const StateChain& chain, uint32_t space) {
  std::map<uint64_t, Page> out;
  for (const PageRun& run : chain.resolve(space)) {
    for (uint64_t i = 0; i < run.count; i++) {
      Page page(kPageBytes);
      if (run.place.kind == Place::kSlot) chain.file(run.place.file).read(run.place.slot + i, 1, page.data());
      EXPECT(out.emplace(run.page + i, std::move(page)).second, "page %llx twice", (unsigned long long)(run.page + i));
    }
  }
  return out;
}

void round_trip() {
  const std::string dir = fresh("round-trip");
  StateWriter writer(dir);
  std::vector<uint8_t> bytes;
  // 1 page, 3 of zeros (a hole), 1 page, 100 of zeros (a run of their own), 2 pages, 1 of zeros.
  for (uint64_t content : {1, 0, 0, 0, 2}) {
    const Page page = page_of(content);
    bytes.insert(bytes.end(), page.begin(), page.end());
  }
  bytes.resize(bytes.size() + 100 * kPageBytes);
  for (uint64_t content : {3, 4, 0}) {
    const Page page = page_of(content);
    bytes.insert(bytes.end(), page.begin(), page.end());
  }
  const uint64_t start = 0x7f0000000000, count = bytes.size() / kPageBytes;
  writer.pages(7, start, bytes.data(), count);
  EXPECT(writer.page_bytes() == 7 * kPageBytes, "%llu", (unsigned long long)writer.page_bytes());
  // Again, changed: in place.
  writer.pages(7, start + kPageBytes, page_of(9).data(), 1);
  EXPECT(writer.page_bytes() == 7 * kPageBytes, "%llu", (unsigned long long)writer.page_bytes());
  memcpy(&bytes[kPageBytes], page_of(9).data(), kPageBytes);
  Region region{start, start + (count + 10) * kPageBytes, 3, 0x22, 0, "[heap]", "\xc0"};
  const CheckpointRef ref = writer.commit(manifest_of(1234, {region}));
  EXPECT(ref.seq == 1234 && ref.id != 0, "%llu", (unsigned long long)ref.seq);
  EXPECT(list_checkpoints(dir) == std::vector<uint64_t>{1234}, "list");
  const StateChain chain(dir, 1234);
  chain.verify();
  const Manifest& m = chain.manifest();
  EXPECT(m.self == ref && m.epoch == 3 && !m.base && m.time_ns != 0 && m.host.page_size == 4096, "manifest");
  EXPECT(m.spaces.size() == 1 && m.spaces[0].pid == 42 && m.spaces[0].name == "program", "space");
  const Region& r = m.spaces[0].regions[0];
  EXPECT(r.start == region.start && r.end == region.end && r.prot == 3 && r.flags == 0x22 && r.name == "[heap]" &&
             r.extra == "\xc0",
         "region");
  EXPECT(
      m.section("threads") != nullptr && m.section("threads")->data == "\x93\x01\x02\x03" && m.section("x") == nullptr,
      "section");
  const auto pages = contents(chain, 7);
  EXPECT(pages.size() == count, "%zu of %llu", pages.size(), (unsigned long long)count);
  for (const auto& [page, data] : pages)
    EXPECT(memcmp(data.data(), &bytes[(page - start / kPageBytes) * kPageBytes], kPageBytes) == 0, "page %llx",
           (unsigned long long)page);
  EXPECT(chain.resolve(7).size() == 4, "%zu runs", chain.resolve(7).size());
  struct stat st;
  stat(state_path(dir, 1234).c_str(), &st);
  EXPECT(st.st_blocks * 512 < 9 * 4096, "zeros take room: %lld", (long long)st.st_blocks * 512);
  try {
    StateWriter(dir).commit(manifest_of(1234, {region}));
    EXPECT(false, "the same seq twice");
  } catch (const HostError& error) { EXPECT(error.code == "CHECKPOINT_EXISTS", "%s", error.what()); }
  EXPECT(std::distance(std::filesystem::directory_iterator(checkpoint_dir(dir)), {}) == 1, "litter");
}

// Opens and verifies; the damage, or none.
std::optional<Damage> damage_in(const std::string& path) {
  try {
    const StateFile file(path);
    std::optional<Damage> found;
    file.verify(0, file.slots(), [&](const Damage& damage) { found = damage; });
    return found;
  } catch (const DamageError& error) { return error.damage; }
}

void every_bit_and_byte() {
  const std::string dir = fresh("damage");
  StateWriter writer(dir);
  const uint64_t heap = 0x555555560000, stack = 0x7ffffffde000;
  writer.pages(7, heap, page_of(1).data(), 1);
  writer.pages(7, stack, page_of(2).data(), 1);
  writer.commit(manifest_of(
      5, {{heap, heap + 4096, 3, 0x22, 0, "[heap]", ""}, {stack, stack + 4096, 3, 0x22, 0, "[stack]", ""}}));
  const std::string path = state_path(dir, 5);
  std::string good;
  read_file(path, &good);
  EXPECT(!damage_in(path), "undamaged");
  UniqueFd file(open(path.c_str(), O_RDWR | O_CLOEXEC));
  for (size_t byte = 0; byte < good.size(); byte++) {
    for (int bit = 0; bit < 8; bit++) {
      const char flipped = char(good[byte] ^ 1 << bit);
      pwrite(file.get(), &flipped, 1, off_t(byte));
      const auto damage = damage_in(path);
      EXPECT(damage, "bit %d of byte %zu was not noticed", bit, byte);
      if (!damage) continue;
      EXPECT(damage->offset <= byte && byte < damage->offset + damage->length, "bit %d of byte %zu: %s", bit, byte,
             damage->text().c_str());
      if (byte >= 4096 && byte < 3 * 4096) {
        const bool in_heap = byte < 2 * 4096;
        EXPECT(damage->space == 7u && damage->pid == 42 && damage->address == (in_heap ? heap : stack) &&
                   damage->region.find(in_heap ? "[heap]" : "[stack]") != std::string::npos,
               "byte %zu: %s", byte, damage->text().c_str());
      }
    }
    pwrite(file.get(), &good[byte], 1, off_t(byte));
  }
  EXPECT(!damage_in(path), "undamaged again");
  for (size_t length = good.size(); length-- > 0;) {
    EXPECT(ftruncate(file.get(), off_t(length)) == 0, "truncate");
    const auto damage = damage_in(path);
    EXPECT(damage && damage->offset <= length, "cut to %zu", length);
    if (length < 4096) continue;
    EXPECT(damage && damage->offset == length && damage->offset + damage->length == good.size(), "cut to %zu: %s",
           length, damage ? damage->text().c_str() : "nothing");
  }
  write_all(file.get(), good.data(), good.size());
  write_all(file.get(), "x", 1);
  const auto damage = damage_in(path);
  EXPECT(damage && damage->offset == good.size(), "a byte too many");
}

// Random writing, discarding, mapping and unmapping, in chains; the model is a map of pages.
void chains_against_a_model(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t n) { return random() % n; };
  const std::string dir = fresh("chains");
  constexpr uint64_t kBase = 0x10000000 / kPageBytes, kRegionPages = 300, kRegions = 4;
  struct Known {
    std::map<uint64_t, uint64_t> pages;  // page -> content, of those that were told of
    std::vector<Region> regions;
  };
  std::map<uint64_t, Known> checkpoints;
  std::map<uint64_t, uint64_t> model;
  bool mapped[kRegions] = {true, true, true, true};
  std::optional<CheckpointRef> base;
  uint64_t seq = 10;
  for (int round = 0; round < 40; round++) {
    StateWriter writer(dir, base);
    if (!base) model.clear();
    for (int change = 0; change < 30; change++) {
      const uint64_t region = below(kRegions), first = kBase + region * 1000 + below(kRegionPages);
      const uint64_t count = 1 +
                             below(std::min<uint64_t>(kBase + region * 1000 + kRegionPages - first, 1 + below(100)));
      switch (below(8)) {
        case 0:
          writer.drop(7, first * kPageBytes, count);
          for (uint64_t i = 0; i < count; i++) model.erase(first + i);
          break;
        case 1:
          writer.zeros(7, first * kPageBytes, count);
          for (uint64_t i = 0; i < count; i++) model[first + i] = 0;
          break;
        case 2:
          // Unmapped, and another mapped there: with a drop, as the tracker says it of any new mapping.
          mapped[region] = !mapped[region];
          writer.drop(7, (kBase + region * 1000) * kPageBytes, kRegionPages);
          for (uint64_t i = 0; i < kRegionPages; i++) model.erase(kBase + region * 1000 + i);
          break;
        default: {
          std::vector<uint8_t> bytes;
          for (uint64_t i = 0; i < count; i++) {
            const uint64_t content = below(3) == 0 ? 0 : random() | 1;
            model[first + i] = content;
            const Page page = page_of(content);
            bytes.insert(bytes.end(), page.begin(), page.end());
          }
          writer.pages(7, first * kPageBytes, bytes.data(), count);
        }
      }
    }
    seq += 1 + below(1000);
    Known known;
    for (uint64_t r = 0; r < kRegions; r++)
      if (mapped[r]) {
        const uint64_t start = (kBase + r * 1000) * kPageBytes;
        known.regions.push_back(
            {start, start + kRegionPages * kPageBytes, 3, 0x22, 0, "region " + std::to_string(r), ""});
      }
    for (const auto& [page, content] : model)
      if (mapped[(page - kBase) / 1000]) known.pages.emplace(page, content);
    base = writer.commit(manifest_of(seq, known.regions));
    checkpoints[seq] = known;
    const auto some = std::next(checkpoints.begin(), long(below(checkpoints.size())))->first;
    switch (below(6)) {
      case 0: fold(dir, some); break;
      case 1:
        remove_checkpoint(dir, some);
        checkpoints.erase(some);
        if (base->seq == some) base.reset();
        break;
      case 2:
        if (below(3) != 0) break;
        release_before(dir, some);
        checkpoints.erase(checkpoints.begin(), checkpoints.find(some));
        break;
      case 3:
        if (below(4) == 0) base.reset();
        break;
      default: break;
    }
    std::vector<uint64_t> seqs;
    for (const auto& [s, k] : checkpoints) seqs.push_back(s);
    EXPECT(list_checkpoints(dir) == seqs, "seed %llu round %d: which there are", (unsigned long long)seed, round);
    for (const auto& [s, k] : checkpoints) {
      // The newest and a few others: all of them in every round would take long.
      if (s != seq && below(5) != 0) continue;
      const StateChain chain(dir, s);
      chain.verify();
      const auto pages = contents(chain, 7);
      EXPECT(pages.size() == k.pages.size(), "seed %llu, checkpoint %llu: %zu pages instead of %zu",
             (unsigned long long)seed, (unsigned long long)s, pages.size(), k.pages.size());
      for (const auto& [page, content] : k.pages) {
        const auto it = pages.find(page);
        EXPECT(it != pages.end() && it->second == page_of(content), "seed %llu, checkpoint %llu: page %llx",
               (unsigned long long)seed, (unsigned long long)s, (unsigned long long)page);
      }
    }
  }
}

void missing_base() {
  const std::string dir = fresh("missing-base");
  const Region region{0x10000, 0x20000, 3, 0x22, 0, "", ""};
  StateWriter first(dir);
  first.pages(7, 0x10000, page_of(1).data(), 1);
  const CheckpointRef base = first.commit(manifest_of(1, {region}));
  StateWriter second(dir, base), third(dir, base);
  second.commit(manifest_of(2, {region}));
  unlink(state_path(dir, 1).c_str());
  try {
    StateChain chain(dir, 2);
    EXPECT(false, "opened without its base");
  } catch (const DamageError& error) {
    EXPECT(error.damage.what.find("not there") != std::string::npos, "%s", error.what());
  }
  // The newest that can be used is none.
  try {
    const uint64_t newest = newest_checkpoint(dir);
    EXPECT(false, "%llu", (unsigned long long)newest);
  } catch (const HostError& error) { EXPECT(error.code == "CHECKPOINT_MISSING", "%s", error.what()); }
  try {
    third.commit(manifest_of(3, {region}));
    EXPECT(false, "an increment upon nothing");
  } catch (const HostError& error) { EXPECT(error.code == "CHECKPOINT_MISSING", "%s", error.what()); }
  // Another one under the base's name.
  StateWriter(dir).commit(manifest_of(1, {region}));
  try {
    StateChain chain(dir, 2);
    EXPECT(false, "opened with another base");
  } catch (const DamageError& error) {
    EXPECT(error.damage.what.find("another one") != std::string::npos, "%s", error.what());
  }
}

// A child writes one checkpoint after the other, folding and releasing; it is killed at some moment, again and again.
void killed_while_writing() {
  const std::string dir = fresh("killed");
  std::mt19937_64 random(11);
  uint64_t seq = 0, last_seen = 0;
  int interrupted = 0;
  for (int round = 0; round < 60; round++) {
    const pid_t child = fork();
    if (child == 0) {
      std::optional<CheckpointRef> base;
      if (seq != 0) base = StateChain(dir, seq).ref();
      for (uint64_t s = seq + 1;; s++) {
        StateWriter writer(dir, base);
        std::vector<uint8_t> bytes;
        for (uint64_t i = 0; i < 40; i++) {
          const Page page = page_of(s * 100 + i);
          bytes.insert(bytes.end(), page.begin(), page.end());
        }
        writer.pages(7, 0x10000000, bytes.data(), 40);
        base = writer.commit(manifest_of(s, {{0x10000000, 0x10000000 + 40 * 4096, 3, 0x22, 0, "", ""}}));
        if (s % 3 == 0) release_before(dir, s);
      }
    }
    usleep(useconds_t(random() % 30000));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    const auto seqs = list_checkpoints(dir);
    if (seqs.empty()) continue;
    EXPECT(seqs.back() >= last_seen, "the last good one is gone");
    last_seen = seq = seqs.back();
    for (uint64_t s : seqs) {
      try {
        const StateChain chain(dir, s);
        chain.verify();
        const auto pages = contents(chain, 7);
        EXPECT(pages.size() == 40 && pages.at(0x10000 + 39) == page_of(s * 100 + 39), "checkpoint %llu",
               (unsigned long long)s);
      } catch (const HostError& error) { EXPECT(false, "round %d: %s", round, error.what()); }
    }
    for (const auto& entry : std::filesystem::directory_iterator(checkpoint_dir(dir)))
      interrupted += !seq_of_name(entry.path().filename());
  }
  EXPECT(interrupted > 0, "no writer was interrupted: the test says nothing");
  // A writer that lives keeps its file; what the dead left is removed.
  StateWriter alive(dir);
  StateWriter another(dir);
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(checkpoint_dir(dir)))
    files += !seq_of_name(entry.path().filename());
  EXPECT(files == 2, "%d unfinished files instead of those of two writers", files);
}

void full_disk_and_bad_folder() {
  const std::string dir = fresh("full");
  const Region region{0x10000000, 0x20000000, 3, 0x22, 0, "", ""};
  // In a process of its own: its mount namespace goes with it.
  const pid_t child = fork();
  if (child == 0) {
    failures = 0;
    if ((unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ||
        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", dir.c_str(), "tmpfs", 0, "size=1m") != 0) {
      fprintf(stderr, "no small file system can be mounted here; the full disk is not tested\n");
      _exit(0);
    }
    StateWriter first(dir);
    first.pages(7, 0x10000000, page_of(1).data(), 1);
    const CheckpointRef base = first.commit(manifest_of(1, {region}));
    // At every size around the end: in the page data, and in the parts behind it.
    for (uint64_t pages = 200; pages < 270; pages++) {
      try {
        StateWriter writer(dir, base);
        for (uint64_t i = 0; i < pages; i++) writer.pages(7, 0x10000000 + i * 4096, page_of(i + 1).data(), 1);
        const uint64_t seq = 2 + pages;
        writer.commit(manifest_of(seq, {region}));
        StateChain(dir, seq).verify();
        remove_checkpoint(dir, seq);
      } catch (const HostError& error) {
        EXPECT(error.code == "CHECKPOINT_WRITE" && error.error == ENOSPC &&
                   strstr(error.what(), "No space left") != nullptr,
               "%s", error.what());
      }
      EXPECT(list_checkpoints(dir) == std::vector<uint64_t>{1}, "what is left after %llu pages",
             (unsigned long long)pages);
      EXPECT(std::distance(std::filesystem::directory_iterator(checkpoint_dir(dir)), {}) == 1,
             "litter after %llu pages", (unsigned long long)pages);
    }
    StateChain(dir, 1).verify();
    mount("none", dir.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, "size=1m");
    try {
      StateWriter writer(dir, base);
      EXPECT(false, "wrote to a read-only file system");
    } catch (const HostError& error) {
      EXPECT(error.code == "CHECKPOINT_WRITE" && error.error == EROFS, "%s", error.what());
    }
    _exit(failures == 0 ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT(status == 0, "the full disk");
  const std::string file = dir + "/checkpoints";
  UniqueFd(open(file.c_str(), O_CREAT | O_WRONLY, 0600));
  try {
    StateWriter writer(dir);
    EXPECT(false, "wrote into a file");
  } catch (const HostError& error) { EXPECT(error.code == "CHECKPOINT_WRITE", "%s", error.what()); }
}

void checksums_of_pages() {
  std::vector<uint8_t> bytes(9 * kPageBytes);
  std::mt19937_64 random(3);
  for (uint8_t& byte : bytes) byte = uint8_t(random());
  for (uint64_t count = 0; count <= 9; count++) {
    uint32_t sums[9];
    page_checksums(bytes.data(), count, sums);
    for (uint64_t i = 0; i < count; i++)
      EXPECT(sums[i] == crc32c(0, &bytes[i * kPageBytes], kPageBytes), "page %llu", (unsigned long long)i);
  }
}

}  // namespace

int main(int argc, char** argv) {
  // Thousands of files are synced, and nothing here depends on a disk.
  scratch = std::string(access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp") + "/understudy-state-test.XXXXXX";
  if (mkdtemp(scratch.data()) == nullptr) return 1;
  const uint64_t seed = argc > 1 ? strtoull(argv[1], nullptr, 10) : 1;
  checksums_of_pages();
  round_trip();
  every_bit_and_byte();
  missing_base();
  for (uint64_t s = seed; s < seed + 10; s++) chains_against_a_model(s);
  killed_while_writing();
  full_disk_and_bad_folder();
  std::filesystem::remove_all(scratch);
  if (failures != 0) fprintf(stderr, "%d failures\n", failures);
  return failures == 0 ? 0 : 1;
}
