// What a checkpoint copies before the group stands still, and the rest of that in the pause: whose writes are followed, and when they are
// copied. See checkpointer.h.
#include <algorithm>

#include "checkpointer.h"

namespace understudy::host::checkpoint {

void Checkpointer::track(uint32_t slot, pid_t pid, UniqueFd userfault) {
  if (!userfault) return;
  const uint32_t images = memory_.control().processes[slot].images;
  std::lock_guard lock(followed_mutex_);
  // Of processes that have ended: their slots may not be given again for long.
  std::erase_if(followed_, [&](const auto& entry) {
    return load_acquire(memory_.control().processes[entry.first].state) != abi::kThreadLive;
  });
  followed_[slot] = std::make_shared<Followed>(Followed{images, pid, std::move(userfault), nullptr, nullptr});
}

void Checkpointer::begin_to_follow() {
  std::lock_guard lock(followed_mutex_);
  for (auto& [slot, space] : followed_) {
    if (!space->userfault) continue;
    try {
      // Shared mappings are copied as objects, whoever writes to them.
      space->tracker = std::make_unique<PageTracker>(
          space->pid, std::move(space->userfault), [this](const TrackedMapping& m) {
            // A file whose contents the journal does not have is copied as a whole, by read_mapping().
            const bool wanted = !m.shared && (m.start < abi::kAgentBase || m.start >= abi::kAgentEnd) &&
                                (!m.of_file() || is_captured(m));
            return wanted ? Tracking::kTracked : Tracking::kIgnored;
          });
    } catch (const HostError&) {
      space->userfault.reset();  // all of its memory is copied each time
    }
  }
}

bool Checkpointer::is_captured(const TrackedMapping& m) const {
  Mapping as;
  as.start = m.start;
  as.end = m.end;
  as.ino = m.inode;
  as.path = m.name;
  static const std::string kDeleted = " (deleted)";
  if (as.path.ends_with(kDeleted)) as.path.resize(as.path.size() - kDeleted.size());
  return capture_of(as) != nullptr;
}

std::shared_ptr<Checkpointer::Followed> Checkpointer::followed(uint32_t slot) {
  std::lock_guard lock(followed_mutex_);
  auto found = followed_.find(slot);
  const bool same = found != followed_.end() && found->second->tracker != nullptr &&
                    found->second->images == memory_.control().processes[slot].images;
  return same ? found->second : nullptr;
}

void Checkpointer::copy_ahead(StateWriter* writer) {
  const abi::Control& control = memory_.control();
  for (uint32_t slot = 0; slot < abi::kMaxProcesses && !cancelled_; slot++) {
    if (load_acquire(control.processes[slot].state) != abi::kThreadLive) continue;
    if (const std::shared_ptr<Followed> space = followed(slot)) copy_one_ahead(slot, space.get(), writer);
  }
}

void Checkpointer::copy_one_ahead(uint32_t slot, Followed* space, StateWriter* writer) {
  std::unique_ptr<Precopy> precopy;
  try {
    precopy = std::make_unique<Precopy>(
        *space->tracker, *writer, space_of("process " + std::to_string(slot) + " " + std::to_string(space->images)));
  } catch (const HostError& error) {
    // It has ended since: it will be no member.
    if (error.error == ESRCH || error.error == ENOENT) return;
    throw;
  }
  space->precopy = std::move(precopy);
  space->precopy->run({});
}

void Checkpointer::copy_again() {
  std::vector<std::shared_ptr<Followed>> spaces;
  {
    std::lock_guard lock(followed_mutex_);
    for (auto& [slot, space] : followed_) spaces.push_back(space);
  }
  for (const auto& space : spaces)
    if (space->precopy != nullptr && !cancelled_) space->precopy->run({});
}

// A process that was born, or executed another program, since the others were copied: all of it would be copied while everybody waits.
bool Checkpointer::has_new(const std::vector<Member>& members) {
  std::lock_guard lock(followed_mutex_);
  return std::any_of(members.begin(), members.end(), [&](const Member& member) {
    const auto found = followed_.find(member.slot);
    if (found == followed_.end() || found->second->images != memory_.control().processes[member.slot].images)
      return false;
    const Followed& space = *found->second;
    return space.precopy == nullptr && (space.tracker != nullptr || space.userfault);
  });
}

void Checkpointer::copy_new_ahead(const std::vector<Member>& members, StateWriter* writer) {
  begin_to_follow();
  for (const Member& member : members)
    if (const std::shared_ptr<Followed> space = followed(member.slot); space != nullptr && space->precopy == nullptr)
      copy_one_ahead(member.slot, space.get(), writer);
}

bool Checkpointer::last_rounds(const std::vector<Member>& members) {
  for (const Member& member : members) {
    const std::shared_ptr<Followed> space = followed(member.slot);
    if (space != nullptr && space->precopy != nullptr && !space->precopy->last_round()) return false;
  }
  return true;
}

void Checkpointer::write_last_rounds(const std::vector<Member>& members) {
  for (const Member& member : members) {
    const std::shared_ptr<Followed> space = followed(member.slot);
    if (space != nullptr && space->precopy != nullptr) space->precopy->write_last();
  }
}

}  // namespace understudy::host::checkpoint
