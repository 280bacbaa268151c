// A checkpoint of a recording that is to go on live: whether it can, and the beginning of the journal that it then writes.
//
// Invariants:
//  - What cannot be made again is refused by name, with what to do about it, before anything is started.
//  - The old journal is only read: the new one gets links to what it needs of it, or copies.
//
// Must not: start anything. (descriptor_plan.h refuses what it cannot plan; this is about what the machine has now.)
#pragma once
#include "restore_plan.h"

namespace understudy::host::checkpoint {

// Throws HostError CHECKPOINT_UNSUPPORTED, CHECKPOINT_READ. What is allowed and may surprise is the answer, as sentences.
std::vector<std::string> check_live(const Restore& restore);

// Into a new journal's directory: the checkpoint with those that it builds upon, and the copies of mapped files that it refers to. Throws
// HostError JOURNAL_DIR.
void bring_checkpoint(const Restore& restore, const std::string& from_journal, const std::string& to_journal);

}  // namespace understudy::host::checkpoint
