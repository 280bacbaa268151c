// Files that the group both maps shared and writes to with system calls. In record the kernel keeps the two views the
// same; in replay the writes are not made, so the journal carries them (STORE) to the scratch copy that is mapped.
#pragma once
#include "ring.h"

namespace understudy {

void note_shared_file(u64 dev, u64 ino);  // record: a member maps this file shared
// record: after the event of a call that may have written to such a file
void append_store(Thread* t, const Call& c, i64 ret);
// record: whether a write to this descriptor needs append_store. Most programs map some file shared (glibc does, for character
// sets) and write to sockets: what a descriptor is not is remembered until it is closed.
inline bool may_write_shared(Thread* t, u32 fd) {
  u32 generation = control().shared_file_count;
  if (US_LIKELY(generation == 0)) return false;
  return fd >= kFdFlags || generation != t->process->shared_generation || !(t->process->fd_flags[fd] & kFdUnshared);
}
inline void forget_descriptor(Thread* t, u32 fd) {
  if (fd < kFdFlags) t->process->fd_flags[fd] &= (u8)~kFdUnshared;
}
void apply_store(Event& e);  // replay: consumes a STORE event

}  // namespace understudy
