// See state_dir.h.
#include "state_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <memory>

#include "state_file.h"

namespace understudy::host::checkpoint {
namespace {
constexpr char kSuffix[] = ".state";
constexpr char kTemporaryPrefix[] = "unfinished.";
constexpr size_t kDigits = 20;
}  // namespace

std::string checkpoint_dir(const std::string& journal_dir) { return journal_dir + "/checkpoints"; }

std::string state_path(const std::string& journal_dir, uint64_t seq) {
  return checkpoint_dir(journal_dir) + "/" + state_name(seq);
}

std::string state_name(uint64_t seq) {
  char text[kDigits + sizeof kSuffix];
  snprintf(text, sizeof text, "%020llu%s", static_cast<unsigned long long>(seq), kSuffix);
  return text;
}

std::optional<uint64_t> seq_of_name(const std::string& name) {
  if (name.size() != kDigits + sizeof kSuffix - 1 || name.compare(kDigits, std::string::npos, kSuffix) != 0 ||
      name.find_first_not_of("0123456789") != kDigits)
    return std::nullopt;
  errno = 0;
  const uint64_t seq = strtoull(name.c_str(), nullptr, 10);
  return errno == 0 ? std::optional(seq) : std::nullopt;
}

UniqueFd make_temporary(const std::string& dir, std::string* path, int* error) {
  for (;;) {
    *path = dir + "/" + kTemporaryPrefix + "XXXXXX";
    UniqueFd file(mkostemp(path->data(), O_CLOEXEC));
    if (!file) {
      *error = errno;
      path->clear();
      return file;
    }
    // Others sweep: one may have taken it for a leftover between the two calls, and removed it. Then there is no name any more.
    struct stat st {};
    if (flock(file.get(), LOCK_EX | LOCK_NB) == 0 && fstat(file.get(), &st) == 0 && st.st_nlink > 0) {
      // As other files of a journal are made; mkostemp's are private.
      const mode_t mask = umask(0);
      umask(mask);
      fchmod(file.get(), 0666 & ~mask);
      return file;
    }
  }
}

void sweep_interrupted(const std::string& dir) {
  std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(dir.c_str()), closedir);
  if (entries == nullptr) return;
  while (const dirent* entry = readdir(entries.get())) {
    if (strncmp(entry->d_name, kTemporaryPrefix, sizeof kTemporaryPrefix - 1) != 0) continue;
    UniqueFd file(openat(dirfd(entries.get()), entry->d_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (file && flock(file.get(), LOCK_EX | LOCK_NB) == 0) unlinkat(dirfd(entries.get()), entry->d_name, 0);
  }
}

int sync_folder(const std::string& dir) {
  UniqueFd folder(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  return folder && fsync(folder.get()) == 0 ? 0 : errno;
}

uint64_t bytes_on_disk(const std::string& path) {
  struct stat st {};
  return stat(path.c_str(), &st) == 0 ? uint64_t(st.st_blocks) * 512 : 0;
}

UniqueFd lock_folder(const std::string& dir) {
  // The folder itself: a lock file would be one more thing in it.
  UniqueFd folder(open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || flock(folder.get(), LOCK_EX) != 0)
    throw HostError(errno == ENOENT ? "CHECKPOINT_MISSING" : "CHECKPOINT_WRITE", errno, dir,
                    errno == ENOENT ? "there are no checkpoints: " + dir + " does not exist"
                                    : "cannot lock " + dir + ": " + errno_text(errno));
  return folder;
}

}  // namespace understudy::host::checkpoint
