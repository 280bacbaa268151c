// What a checkpoint says of the guest group beside its memory: the core's sections of the state file. docs/checkpoint.md describes them.
//
// Invariants:
//  - Positional msgpack, as the rest of the manifest: fields are appended, a reader ignores further ones.
//  - Decoding is bounds-checked, and what is decoded is consistent: every thread's process is there, every block is one of the agent's.
//
// Must not: know how it is obtained or restored.
#pragma once
#include <stdint.h>

#include <string>
#include <vector>

#include "manifest.h"
#include "understudy/abi.h"

namespace understudy::host::checkpoint {

struct ThreadState {
  uint32_t gtid = 0, process = 0;  // slot
  int32_t tid = 0;
  uint32_t resume = 0;  // abi::Resume
  uint64_t events = 0, block = 0, fs_base = 0;
  std::string xsave;
};

// One of the agent's structures Thread, as bytes: of a live thread, or of one that ended and holds what its process's others refer to.
struct BlockState {
  uint32_t process = 0;
  uint64_t address = 0;
  std::string bytes;
};

struct ProcessState {
  uint32_t slot = 0, space = 0;
  int32_t pid = 0, parent = 0;  // numbers as the group knows them; parent 0: not one of the group
  uint64_t process_block = 0;
  uint64_t stack_limit = 0, stack_begin = 0;
  int32_t session = 0, group = 0;  // with a PID namespace
  bool ended = false;              // and nobody has waited for it: nothing else is known of it but
  uint32_t end_status = 0;         // how, as wait4 will tell
  std::string kept;                // the agent's data between Entry::kept_begin and kept_end
  std::string
      fd_emit;  // by descriptor: 1 or 2 if it means the standard output or error that the guest was started with
};

// A file whose contents the journal has.
struct BlobState {
  uint64_t index = 0, size = 0, dev = 0, ino = 0;
  std::string sha, path;
};

// An object that is mapped shared: the space with this id has its contents.
struct SharedState {
  enum Kind : uint32_t { kAnonymous = 0, kFile = 1, kSysV = 2 };
  uint32_t space = 0, kind = 0;
  uint64_t dev = 0, ino = 0;  // of a file, as the journal's FILE events have them; ino: of a SysV segment its id
  uint64_t bytes = 0;
  // Of a file in the guest's own /dev/shm: other processes find it by its name. Empty otherwise.
  std::string path;
  uint32_t mode = 0, uid = 0, gid = 0;
};

struct GroupState {
  uint32_t abi_version = abi::kAbiVersion;
  std::string agent_sha;
  int32_t guest_fd = 0;
  uint32_t last_gtid = 0, next_gtid = 0, next_process = 0, flags = 0;
  std::vector<uint64_t> clocks;
  uint64_t monotonic_ns = 0;  // the guest's CLOCK_MONOTONIC at the checkpoint; 0: not told
  std::vector<ProcessState> processes;
  std::vector<ThreadState> threads;
  std::vector<BlockState> blocks;
  std::vector<BlobState> blobs;
  std::vector<SharedState> shared;
};

std::vector<Section> encode_group(const GroupState& group);
// What is wrong with it, or "".
std::string decode_group(const std::vector<Section>& sections, GroupState* out);

// Region::extra: [kind, number], as abi::RestoreRegion has them.
std::string encode_region_kind(uint32_t kind, uint64_t number);
bool decode_region_kind(const std::string& extra, uint32_t* kind, uint64_t* number);

}  // namespace understudy::host::checkpoint
