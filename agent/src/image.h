// A process image as execve leaves it: described in the START event (record), rebuilt from it (replay). Also what maps
// text into a process: patching its syscall sites.
#pragma once
#include "ring.h"

namespace understudy {

struct MappedFile {
  i64 blob;  // -1: not a file whose contents matter
  u64 size, dev, ino;
};
// record: asks the host to keep the file's contents; appends FILE when it is new to this journal.
bool capture_file(Thread* t, i32 fd, u64 flags, MappedFile& m);
// record: rewrites the syscall sites of text that was just mapped and appends PATCH.
void patch_text(Thread* t, u64 blob, u64 offset, u64 len, u64 addr);
// replay: the PATCH event.
void patch_text_again(Thread* t, Event& e);

void limit_stack(Thread* t, u64 limit);     // replay: the guest has set RLIMIT_STACK for itself
[[noreturn]] void replay_image(Thread* t);  // the next event is START
void clear_image();                         // replay: unmaps everything but the agent

// Writable memory of the guest, small regions only (at most max_len bytes each): what a loop's state can be in.
struct Range {
  u64 addr, len;
  bool program;  // the executable's own data, or memory shared between processes
};
u32 writable_ranges(Range* out, u32 max, u64 max_len);

// Maps `need` bytes (read and write) within reach of a 5-byte jump from [text, text + len); 0: no room.
u64 map_near(u64 text, u64 len, u64 need);

bool in_trampoline(u64 rip);
u64 trap_trampoline(u64 site);  // 0: no int3 of the agent's stands there
inline bool in_agent(u64 rip) { return rip >= abi::kAgentBase && rip < abi::kAgentEnd; }

}  // namespace understudy
