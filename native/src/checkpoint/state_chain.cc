// See state_chain.h.
#include "state_chain.h"

#include <dirent.h>
#include <string.h>

#include <algorithm>
#include <mutex>

#include "state_dir.h"

namespace understudy::host::checkpoint {
namespace {

constexpr uint64_t kFoldPages = 64;  // as in page_copier.cc

std::vector<std::unique_ptr<StateFile>> open_chain(const std::string& journal_dir, uint64_t seq) {
  std::vector<std::unique_ptr<StateFile>> files;
  files.push_back(std::make_unique<StateFile>(state_path(journal_dir, seq)));
  while (const auto& base = files.back()->manifest().base) {
    const StateFile& above = *files.back();
    Damage damage;
    damage.part = "file";
    damage.path = above.path();
    const std::string name = "the checkpoint at event " + std::to_string(base->seq);
    try {
      files.push_back(std::make_unique<StateFile>(state_path(journal_dir, base->seq)));
    } catch (const DamageError&) { throw; } catch (const HostError& error) {
      if (error.code != "CHECKPOINT_MISSING") throw;
      damage.what = "it builds upon " + name + ", which is not there";
      throw DamageError(damage);
    }
    if (files.back()->manifest().self.id != base->id) {
      damage.what = "it builds upon " + name + ", and what is there now is another one";
      throw DamageError(damage);
    }
  }
  return files;
}

}  // namespace

std::vector<uint64_t> list_checkpoints(const std::string& journal_dir) {
  const std::string dir = checkpoint_dir(journal_dir);
  std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(dir.c_str()), closedir);
  std::vector<uint64_t> seqs;
  if (entries == nullptr) {
    if (errno == ENOENT) return seqs;
    throw HostError("CHECKPOINT_READ", errno, dir, "cannot read " + dir + ": " + errno_text(errno));
  }
  while (const dirent* entry = readdir(entries.get()))
    if (const auto seq = seq_of_name(entry->d_name)) seqs.push_back(*seq);
  std::sort(seqs.begin(), seqs.end());
  return seqs;
}

StateChain::StateChain(const std::string& journal_dir, uint64_t seq) {
  try {
    files_ = open_chain(journal_dir, seq);
  } catch (const DamageError&) {
    // Folded and its base removed between the opening of the two: what is there now is complete.
    files_ = open_chain(journal_dir, seq);
  }
  // From the oldest: what is newer replaces it.
  for (size_t i = files_.size(); i-- > 0;) {
    for (const SpacePages& pages : files_[i]->pages()) {
      auto it = std::find_if(maps_.begin(), maps_.end(), [&](const auto& m) { return m.first == pages.space; });
      if (it == maps_.end()) it = maps_.emplace(maps_.end(), pages.space, PageMap());
      for (const PageRun& run : pages.runs) {
        Place place = run.place;
        if (place.kind == Place::kSlot) place.file = uint32_t(i);
        it->second.assign(run.page, run.count, place);
      }
    }
  }
}

std::vector<PageRun> StateChain::resolve(uint32_t space, const Region& region) const {
  std::vector<PageRun> out;
  for (const auto& [id, map] : maps_) {
    if (id != space) continue;
    out = map.runs_in(region.start / kPageBytes, (region.end - region.start) / kPageBytes);
    std::erase_if(out, [](const PageRun& run) { return run.place.kind == Place::kVoid; });
  }
  return out;
}

std::vector<PageRun> StateChain::resolve(uint32_t space) const {
  std::vector<PageRun> out;
  const Space* of = manifest().space(space);
  if (of == nullptr) return out;
  for (const Region& region : of->regions) {
    const auto runs = resolve(space, region);
    out.insert(out.end(), runs.begin(), runs.end());
  }
  return out;
}

void StateChain::verify(const std::function<void(const Damage&)>& damaged) const {
  for (const auto& file : files_) {
    // Memory's speed is more than one core's: halves, each in a thread of its own.
    const uint64_t half = file->slots() / 2;
    std::mutex mutex;
    std::exception_ptr failed;
    const auto tell = [&](const Damage& damage) {
      const std::lock_guard lock(mutex);
      damaged(damage);
    };
    std::thread second = start_thread("us-verify", [&] {
      try {
        file->verify(half, file->slots() - half, tell);
      } catch (...) {
        const std::lock_guard lock(mutex);
        failed = std::current_exception();
      }
    });
    try {
      file->verify(0, half, tell);
    } catch (...) {
      second.join();
      throw;
    }
    second.join();
    if (failed) std::rethrow_exception(failed);
  }
}

void StateChain::verify() const {
  verify([](const Damage& damage) { throw DamageError(damage); });
}

uint64_t newest_checkpoint(const std::string& journal_dir) {
  std::vector<uint64_t> seqs = list_checkpoints(journal_dir);
  for (; !seqs.empty(); seqs.pop_back()) {
    try {
      const StateChain chain(journal_dir, seqs.back());
      return seqs.back();
    } catch (const HostError&) {
      // Damaged, or removed just now: an older one will do. `checkpoint verify` names the damage.
      continue;
    }
  }
  throw HostError("CHECKPOINT_MISSING", ENOENT, journal_dir, journal_dir + " has no checkpoint that can be used");
}

// What needs the insides of both, writer and chain.
class Folder {
 public:
  static void fold(const std::string& journal_dir, const StateChain& chain) {
    StateWriter writer(journal_dir);
    std::vector<uint8_t> buffer(kFoldPages * kPageBytes);
    for (const Space& space : chain.manifest().spaces) {
      for (const PageRun& run : chain.resolve(space.id)) {
        if (run.place.kind == Place::kZero) {
          writer.zeros(space.id, run.page * kPageBytes, run.count);
          continue;
        }
        for (uint64_t done = 0; done < run.count;) {
          const uint64_t here = std::min(run.count - done, kFoldPages);
          // Checked as they are read: damage must not get a checksum that says it is right.
          chain.file(run.place.file).read(run.place.slot + done, here, buffer.data());
          writer.pages(space.id, (run.page + done) * kPageBytes, buffer.data(), here);
          done += here;
        }
      }
    }
    Manifest manifest = chain.manifest();
    manifest.base.reset();
    writer.commit_as(std::move(manifest), true);
  }
};

namespace {
bool fold_locked(const std::string& journal_dir, uint64_t seq) {
  const StateChain chain(journal_dir, seq);
  if (chain.size() == 1) return false;
  Folder::fold(journal_dir, chain);
  return true;
}

void remove_file(const std::string& path) {
  if (unlink(path.c_str()) != 0)
    throw HostError(errno == ENOENT ? "CHECKPOINT_MISSING" : "CHECKPOINT_WRITE", errno, path,
                    errno == ENOENT ? "there is no checkpoint " + path
                                    : "cannot remove the checkpoint " + path + ": " + errno_text(errno));
}

void sync_removal(const std::string& dir) {
  if (int error = sync_folder(dir); error != 0)
    throw HostError("CHECKPOINT_WRITE", error, dir,
                    "cannot bring the removal to the disk in " + dir + ": " + errno_text(error));
}
}  // namespace

bool fold(const std::string& journal_dir, uint64_t seq) {
  const UniqueFd lock = lock_folder(checkpoint_dir(journal_dir));
  return fold_locked(journal_dir, seq);
}

std::vector<uint64_t> remove_checkpoint(const std::string& journal_dir, uint64_t seq) {
  const std::string dir = checkpoint_dir(journal_dir);
  const UniqueFd lock = lock_folder(dir);
  std::vector<uint64_t> folded;
  for (uint64_t other : list_checkpoints(journal_dir)) {
    if (other <= seq) continue;
    try {
      const StateFile file(state_path(journal_dir, other));
      if (file.manifest().base && file.manifest().base->seq == seq && fold_locked(journal_dir, other))
        folded.push_back(other);
    } catch (const DamageError&) {
      // One that is damaged cannot be helped, and is no reason to keep this one.
      continue;
    }
  }
  remove_file(state_path(journal_dir, seq));
  sync_removal(dir);
  return folded;
}

std::vector<uint64_t> release_before(const std::string& journal_dir, uint64_t seq) {
  const std::string dir = checkpoint_dir(journal_dir);
  const UniqueFd lock = lock_folder(dir);
  fold_locked(journal_dir, seq);
  std::vector<uint64_t> removed;
  std::vector<uint64_t> seqs = list_checkpoints(journal_dir);
  // The newest first: what is left when this is interrupted has all that it builds upon.
  for (auto it = seqs.rbegin(); it != seqs.rend(); ++it) {
    if (*it >= seq) continue;
    remove_file(state_path(journal_dir, *it));
    removed.push_back(*it);
  }
  if (!removed.empty()) sync_removal(dir);
  return removed;
}

}  // namespace understudy::host::checkpoint
