// Files that the group both maps shared and writes to with system calls. In record the kernel keeps the two views the
// same; in replay the writes are not made, so the journal carries them (STORE) to the scratch copy that is mapped.
#pragma once
#include "ring.h"

namespace understudy {

void note_shared_file(u64 dev, u64 ino);           // record: a member maps this file shared
void append_store(const Call& c, i64 ret);         // record: after the event of a call that may have written to such a file
void apply_store(Event& e);                        // replay: consumes a STORE event

}  // namespace understudy
