// Names in the folder of checkpoints, and what holds it together: temporary files, their removal, syncing, the lock.
//
// Invariants:
//  - A temporary file is locked (flock) as long as its writer lives, and by its writer only: that tells what was interrupted.
#pragma once
#include <optional>
#include <string>

#include "common.h"

namespace understudy::host::checkpoint {

std::string state_name(uint64_t seq);
// The seq in a name, if it is one of a checkpoint.
std::optional<uint64_t> seq_of_name(const std::string& name);

// A new file in `dir`, locked; its path goes to *path. Empty with *error.
UniqueFd make_temporary(const std::string& dir, std::string* path, int* error);
// Removes temporary files whose writers are gone. What cannot be removed stays: it is in nobody's way.
void sweep_interrupted(const std::string& dir);
// fsync of the folder itself: 0 or an errno.
int sync_folder(const std::string& dir);
// What a file takes there, without its holes. 0 if there is none.
uint64_t bytes_on_disk(const std::string& path);
// Keeps others from folding and removing while it is held. Throws HostError CHECKPOINT_WRITE.
UniqueFd lock_folder(const std::string& dir);

}  // namespace understudy::host::checkpoint
