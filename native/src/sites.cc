// What is kept of an analysis, in memory and in the user's cache. See sites.h.
//
// Invariants:
//  - A file of the cache is believed only if its sum is right; it is replaced as a whole, by renaming.
//
// Must not: fail because of the cache. Without it everything is analysed again.
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common.h"
#include "sites.h"

namespace understudy::host {

namespace {
struct CacheHeader {
  char magic[8];
  uint32_t version, crc;
  uint64_t count;
};
constexpr char kCacheMagic[9] = "UDSYSITE";

bool parse_cache(const std::string& text, std::vector<Site>* sites) {
  CacheHeader header;
  if (text.size() < sizeof header) return false;
  memcpy(&header, text.data(), sizeof header);
  const size_t bytes = text.size() - sizeof header;
  if (memcmp(header.magic, kCacheMagic, sizeof header.magic) != 0 || header.version != kSitesVersion) return false;
  if (header.count != bytes / sizeof(Site) || bytes % sizeof(Site) != 0) return false;
  if (header.crc != crc32c(0, text.data() + sizeof header, bytes)) return false;
  sites->resize(header.count);
  memcpy(sites->data(), text.data() + sizeof header, bytes);
  return true;
}

std::string format_cache(const std::vector<Site>& sites) {
  CacheHeader header{};
  const size_t bytes = sites.size() * sizeof(Site);
  memcpy(header.magic, kCacheMagic, sizeof header.magic);
  header.version = kSitesVersion;
  header.count = sites.size();
  header.crc = crc32c(0, sites.data(), bytes);
  std::string text(reinterpret_cast<const char*>(&header), sizeof header);
  return text.append(reinterpret_cast<const char*>(sites.data()), bytes);
}
}  // namespace

SiteStore::SiteStore(const std::string& cache_dir) {
  if (!cache_dir.empty() && make_dirs(cache_dir + "/sites") == 0) dir_ = cache_dir + "/sites";
}

std::shared_ptr<const SiteMap> SiteStore::get(const std::string& sha_hex, const std::string& path) {
  std::lock_guard lock(mutex_);
  auto& slot = maps_[sha_hex];
  if (slot != nullptr) return slot;
  const std::string cached = dir_ + "/" + sha_hex + ".v" + std::to_string(kSitesVersion);
  std::string text;
  auto from_cache = std::make_shared<SiteMap>();
  if (!dir_.empty() && read_file(cached, &text) && parse_cache(text, &from_cache->sites) &&
      from_cache->elf.open(path).empty()) {
    slot = from_cache;
    return slot;
  }
  std::string error;
  slot = analyse(path, false, &error);
  if (slot == nullptr) {
    // Executable, but no ELF file (a JIT's cache, say): it has no sites that can be known beforehand.
    slot = std::make_shared<SiteMap>();
    return slot;
  }
  if (dir_.empty()) return slot;
  std::string temporary = dir_ + "/.new-XXXXXX";
  UniqueFd file(mkostemp(temporary.data(), O_CLOEXEC));
  const std::string contents = format_cache(slot->sites);
  if (file &&
      (write_all(file.get(), contents.data(), contents.size()) != 0 || rename(temporary.c_str(), cached.c_str()) != 0))
    unlink(temporary.c_str());
  return slot;
}

}  // namespace understudy::host
