// See blob_store.h.
#include "blob_store.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <vector>

namespace understudy::host {
namespace {

constexpr uint64_t kSettledNs = 2'000'000'000;  // coarser than any file system's time stamps

// Shares extents where the file system can.
int copy_contents(int from, int to) {
  off_t at = 0;
  for (;;) {
    ssize_t n = copy_file_range(from, &at, to, nullptr, 1 << 30, 0);
    if (n > 0) continue;
    if (n == 0 && at > 0) return 0;
    if (n < 0 && errno == EINTR) continue;
    // Not between these file systems, or a file that pretends to be empty: read and write then.
    if (n == 0 || errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP || errno == EBADF ||
        errno == ETXTBSY)
      break;
    return errno;
  }
  std::vector<char> buffer(1 << 20);
  for (;;) {
    ssize_t n = pread(from, buffer.data(), buffer.size(), at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    if (n == 0) return 0;
    if (int error = write_all(to, buffer.data(), size_t(n))) return error;
    at += n;
  }
}

bool is_hash(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

}  // namespace

BlobStore::BlobStore(const std::string& journal_dir, const std::string& cache_dir) : blob_dir_(journal_dir + "/blobs") {
  if (cache_dir.empty()) return;
  if (make_dirs(cache_dir + "/blobs") != 0 || make_dirs(cache_dir + "/keys") != 0) return;
  cache_blobs_ = cache_dir + "/blobs";
  cache_keys_ = cache_dir + "/keys";
}

void BlobStore::declare(uint64_t index, const Sha256& sha) {
  const std::string sha_hex = hex(sha.data(), sha.size());
  struct stat blob {};
  stat(path_of(sha_hex).c_str(), &blob);
  std::lock_guard lock(mutex_);
  shas_[index] = sha_hex;
  all_[index] = Capture{index, false, uint64_t(blob.st_size), 0, 0, sha, path_of(sha_hex)};
}

std::string BlobStore::sha_of(uint64_t index) const {
  std::lock_guard lock(mutex_);
  auto found = shas_.find(index);
  return found == shas_.end() ? "" : found->second;
}

std::vector<Capture> BlobStore::all() const {
  std::lock_guard lock(mutex_);
  std::vector<Capture> out;
  for (const auto& [index, capture] : all_) out.push_back(capture);
  return out;
}

bool BlobStore::lookup(const std::string& key, uint64_t size, std::string* sha_hex) const {
  std::string text;
  if (!read_file(cache_keys_ + "/" + key, &text) || !is_hash(text)) return false;
  struct stat st;
  // A cache that was cut short by a crash or a full disk is noticed by its size.
  if (stat((cache_blobs_ + "/" + text).c_str(), &st) != 0 || uint64_t(st.st_size) != size) return false;
  *sha_hex = text;
  return true;
}

// A read-only copy under a temporary name in `dir`, and its hash.
int BlobStore::copy_to(int source, const std::string& dir, std::string* temporary, Sha256* sha) {
  *temporary = dir + "/.new-XXXXXX";
  UniqueFd to(mkostemp(temporary->data(), O_CLOEXEC));
  if (!to) return -errno;
  int error = copy_contents(source, to.get());
  struct stat st;
  if (error == 0 && fstat(to.get(), &st) != 0) error = errno;
  if (error == 0 && !sha256_of_file(to.get(), uint64_t(st.st_size), sha)) error = EIO;
  if (error == 0 && fchmod(to.get(), 0444) != 0) error = errno;
  if (error != 0) unlink(temporary->c_str());
  return -error;
}

int BlobStore::place_in_journal(const std::string& from, const std::string& sha_hex) {
  const std::string to = path_of(sha_hex);
  if (link(from.c_str(), to.c_str()) == 0 || errno == EEXIST) return 0;
  UniqueFd source(open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source) return -errno;
  std::string temporary;
  Sha256 sha;
  if (int error = copy_to(source.get(), blob_dir_, &temporary, &sha)) return error;
  if (hex(sha.data(), sha.size()) != sha_hex) {
    // The cached copy is not what its name says; without the key it is made anew.
    unlink(temporary.c_str());
    unlink(from.c_str());
    return -ESTALE;
  }
  if (rename(temporary.c_str(), to.c_str()) == 0) return 0;
  int error = errno;
  unlink(temporary.c_str());
  return -error;
}

int BlobStore::store(int source, bool cacheable, const std::string& key, Sha256* sha) {
  if (cacheable && !cache_blobs_.empty()) {
    std::string temporary;
    if (copy_to(source, cache_blobs_, &temporary, sha) == 0) {
      const std::string sha_hex = hex(sha->data(), sha->size());
      const std::string cached = cache_blobs_ + "/" + sha_hex;
      if (rename(temporary.c_str(), cached.c_str()) == 0) {
        if (int error = place_in_journal(cached, sha_hex)) return error;
        // Written under another name and renamed: another recorder reads it at the same time.
        std::string key_temporary = cache_keys_ + "/.new-XXXXXX";
        UniqueFd key_file(mkostemp(key_temporary.data(), O_CLOEXEC));
        if (key_file) {
          if (write_all(key_file.get(), sha_hex.data(), sha_hex.size()) != 0 ||
              rename(key_temporary.c_str(), (cache_keys_ + "/" + key).c_str()) != 0) {
            unlink(key_temporary.c_str());
          }
        }
        return 0;
      }
      unlink(temporary.c_str());
    }
    // The cache's disk may be full while the journal's is not.
  }
  std::string temporary;
  if (int error = copy_to(source, blob_dir_, &temporary, sha)) return error;
  if (rename(temporary.c_str(), path_of(hex(sha->data(), sha->size())).c_str()) == 0) return 0;
  int error = errno;
  unlink(temporary.c_str());
  return -error;
}

int BlobStore::capture(pid_t pid, int fd, Capture* out, bool* journal_failed) {
  *journal_failed = false;
  const std::string link_path = "/proc/" + std::to_string(pid) + "/fd/" + std::to_string(fd);
  struct stat before;
  if (stat(link_path.c_str(), &before) != 0) return -errno;
  // Opening a device can have effects, and mapping one is not mapping contents.
  if (!S_ISREG(before.st_mode)) return -ENODEV;
  char target[PATH_MAX];
  ssize_t target_len = readlink(link_path.c_str(), target, sizeof target);
  if (target_len < 0) return -errno;
  const auto nanoseconds = [](const timespec& t) { return uint64_t(t.tv_sec) * 1000000000 + uint64_t(t.tv_nsec); };
  const uint64_t changed = std::max(nanoseconds(before.st_mtim), nanoseconds(before.st_ctim));
  const uint64_t now = realtime_ns();
  const bool settled = changed < now && now - changed >= kSettledNs;
  char key[128];
  snprintf(key, sizeof key, "%lx.%lx.%lx.%lx.%lx", (unsigned long)before.st_dev, (unsigned long)before.st_ino,
           (unsigned long)before.st_size, (unsigned long)nanoseconds(before.st_mtim),
           (unsigned long)nanoseconds(before.st_ctim));

  const std::string path(target, size_t(target_len));
  {
    // An image maps each of its files several times.
    std::lock_guard lock(mutex_);
    if (auto known = captured_.find({key, path}); settled && known != captured_.end()) {
      *out = known->second;
      out->is_new = false;
      return 0;
    }
  }

  UniqueFd source(open(link_path.c_str(), O_RDONLY | O_CLOEXEC | O_NOATIME));
  if (!source) source.reset(open(link_path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!source) return -errno;

  std::string sha_hex;
  bool placed = false;
  if (settled && !cache_blobs_.empty() && lookup(key, uint64_t(before.st_size), &sha_hex)) {
    int error = place_in_journal(cache_blobs_ + "/" + sha_hex, sha_hex);
    placed = error == 0;
    if (error != 0 && error != -ESTALE && error != -ENOENT) {
      *journal_failed = true;
      return error;
    }
  }
  if (placed) {
    for (size_t i = 0; i < out->sha.size(); i++)
      out->sha[i] = uint8_t(std::stoul(sha_hex.substr(i * 2, 2), nullptr, 16));
  } else {
    if (int error = store(source.get(), settled, key, &out->sha)) {
      *journal_failed = true;
      return error;
    }
    sha_hex = hex(out->sha.data(), out->sha.size());
  }

  struct stat blob;
  if (stat(path_of(sha_hex).c_str(), &blob) != 0) {
    *journal_failed = true;
    return -errno;
  }
  out->size = uint64_t(blob.st_size);
  out->dev = before.st_dev;
  out->ino = before.st_ino;
  out->path = path;
  std::lock_guard lock(mutex_);
  // A replica that has gone live goes on behind the numbers that its journal has.
  const uint64_t next = shas_.empty() ? 0 : shas_.rbegin()->first + 1;
  auto [entry, inserted] = indexes_.try_emplace({sha_hex, out->dev, out->ino, out->path}, next);
  out->index = entry->second;
  out->is_new = inserted;
  if (inserted) {
    shas_[out->index] = sha_hex;
    all_[out->index] = *out;
  }
  if (settled) captured_[{key, path}] = *out;
  return 0;
}

}  // namespace understudy::host
