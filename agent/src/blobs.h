// Files that a replay maps: contents from the journal's blobs, and scratch copies in place of what the group maps shared, so that
// the files themselves are never touched.
//
// Invariants: what one process of the group has declared or made, every other finds, whenever it was forked: it lies in the scratch
// directory, not in memory.
#pragma once
#include "ring.h"

namespace understudy {

void declare_blob(Event& e);  // replay: a FILE event
i32 open_blob(u64 index);
// replay: the scratch copy that stands for a file or segment that the group maps shared
i32 open_scratch(u64 blob);
i32 open_scratch_segment(u64 id, u64 size);
i32 open_scratch_if_there(u64 dev, u64 ino);  // negative: nothing maps that file shared

}  // namespace understudy
