// Contents of mapped files, kept by their SHA-256: in the journal's blobs/, and in the user's cache so that the C library is read
// and hashed once and not once per recording.
//
// Invariants:
//  - A blob's name is the hash of what is in it: the copy is hashed, not the original, which may change meanwhile.
//  - The cache believes (device, inode, size, mtime, ctime) only when the file was last changed a while ago: within the
//    resolution of time stamps a file can change unseen.
//  - Blobs are read-only files; a journal shares them with the cache by hard link where it can.
//
// Must not: fail a recording because the cache cannot be used.
#pragma once
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "common.h"
#include "sha256.h"

namespace understudy::host {

struct Capture {
  uint64_t index;
  bool is_new;
  uint64_t size, dev, ino;
  Sha256 sha;
  std::string path;  // of the original
};

class BlobStore {
 public:
  // cache_dir may be empty: no cache.
  BlobStore(const std::string& journal_dir, const std::string& cache_dir);

  // The file behind descriptor `fd` of process `pid`. 0 or a negative errno; *journal_failed tells that the journal's side failed.
  int capture(pid_t pid, int fd, Capture* out, bool* journal_failed);
  // Replay: the journal says that `index` is the blob with this hash.
  void declare(uint64_t index, const Sha256& sha);

  std::string path_of(const std::string& sha_hex) const { return blob_dir_ + "/" + sha_hex; }
  // What was captured or declared so far, by index. For a checkpoint. Of what was declared the path is the blob's own.
  std::vector<Capture> all() const;
  // Hash of blob `index` in hexadecimal, or "".
  std::string sha_of(uint64_t index) const;
  const std::string& blob_dir() const { return blob_dir_; }

 private:
  int store(int source, bool cacheable, const std::string& key, Sha256* sha);
  bool lookup(const std::string& key, uint64_t size, std::string* sha_hex) const;
  int place_in_journal(const std::string& from, const std::string& sha_hex);
  int copy_to(int source, const std::string& dir, std::string* temporary, Sha256* sha);

  std::string blob_dir_, cache_blobs_, cache_keys_;
  mutable std::mutex mutex_;
  std::map<std::tuple<std::string, uint64_t, uint64_t, std::string>, uint64_t> indexes_;  // (sha, dev, ino, path)
  std::map<std::pair<std::string, std::string>, Capture> captured_;                       // (key of the cache, path)
  std::map<uint64_t, std::string> shas_;
  std::map<uint64_t, Capture> all_;
};

}  // namespace understudy::host
