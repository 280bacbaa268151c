// What a state file says of itself beside the page data, and how that is encoded. docs/state-file.md describes it for readers.
//
// Invariants:
//  - Positional msgpack: fields are appended at the end of an array and never change their meaning; a reader ignores further ones.
//  - Decoding is bounds-checked: a file is input.
//
// Must not: know what the sections mean. They belong to the checkpoint's core.
#pragma once
#include <stdint.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mirror/identity.h"
#include "page_map.h"

namespace understudy::host::checkpoint {

inline constexpr uint32_t kManifestVersion = 1;

// A checkpoint's name for other checkpoints. `id` is random, and stays when a chain is folded: the folded file says the same as before.
struct CheckpointRef {
  uint64_t seq = 0, id = 0;
  bool operator==(const CheckpointRef&) const = default;
};

// One mapping of an address space (or the whole of a shared object, from 0).
struct Region {
  uint64_t start = 0, end = 0;
  uint32_t prot = 0, flags = 0;  // mmap's
  uint64_t offset = 0;           // in the mapped file or shared object
  std::string name;              // as in /proc/PID/maps; for messages, and for the core to use as it likes
  std::string extra;             // msgpack of the core's, may be empty
};

// What pages belong to: a process's private memory, or an object that several share (addresses are then offsets in it).
struct Space {
  enum Kind : uint8_t { kProcess = 0, kShared = 1 };
  uint32_t id = 0;  // the same space has the same id in all files of a chain, and no other has ever had it there
  Kind kind = kProcess;
  int64_t pid = 0;
  std::string name;  // the program's, or the object's
  std::vector<Region> regions;
};

// Free-form parts of the checkpoint's core: threads, descriptors …, each msgpack.
struct Section {
  std::string name, data;
};

struct Manifest {
  uint32_t version = kManifestVersion;
  CheckpointRef self;  // `id` is the writer's business
  std::optional<CheckpointRef> base;
  uint64_t epoch = 0;
  uint64_t time_ns = 0;  // CLOCK_REALTIME when it was committed
  MirrorIdentity host;   // of the machine that it was taken on
  std::string host_name, kernel;
  std::vector<Space> spaces;
  std::vector<Section> sections;

  const Space* space(uint32_t id) const;
  const Section* section(std::string_view name) const;
};

// Pages of one space, as one file tells of them.
struct SpacePages {
  uint32_t space = 0;
  std::vector<PageRun> runs;
};

std::string encode_manifest(const Manifest& manifest);
std::string encode_sections(const std::vector<Section>& sections);
std::string encode_pages(const std::vector<SpacePages>& pages);
// False when malformed.
bool decode_manifest(std::string_view bytes, Manifest* out);
bool decode_sections(std::string_view bytes, std::vector<Section>* out);
// `slots`: how many there are; a run beyond that is malformed.
bool decode_pages(std::string_view bytes, uint64_t slots, std::vector<SpacePages>* out);

}  // namespace understudy::host::checkpoint
