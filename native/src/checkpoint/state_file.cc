// See state_file.h.
#include "state_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <nmmintrin.h>

#include "state_dir.h"

namespace understudy::host::checkpoint {

// The first page of a file; the rest of the page is zero, and the checksum is in its last four bytes. Little-endian.
struct StateHeader {
  char magic[8];
  uint32_t version, page_bytes;
  uint64_t seq, id;
  uint64_t slots, file_bytes;
  struct Part {
    uint64_t offset, bytes;
    uint32_t crc, zero;
  } parts[4];
};
static_assert(sizeof(StateHeader) == 48 + 4 * 24);

namespace {

constexpr uint64_t kWritebackBytes = 4 << 20;

constexpr char kMagic[8] = {'U', 'D', 'S', 'Y', 'C', 'K', 'P', '1'};
enum PartIndex { kManifestPart, kRunsPart, kChecksumsPart, kSectionsPart, kParts };
constexpr const char* kPartNames[kParts] = {"manifest", "page runs", "checksums", "sections"};
// A part beyond this is damage: without a bound, a damaged length would have a reader allocate all memory. (The checksums are
// bounded by the file's length.)
constexpr uint64_t kPartBytesMax = 1ull << 32;
// Zeros up to this many pages between pages with something in them are holes of the file, not runs of their own: a restore then has one
// mapping instead of three.
constexpr uint64_t kHolePagesMax = 32;
constexpr uint64_t kReadPages = 256;
constexpr uint64_t kGatheredBytes = 256 << 10;

// The quick way out is what makes this cheap: almost every page that is not zero differs within its first bytes.
bool is_zero(const uint8_t* page) {
  const auto* words = reinterpret_cast<const uint64_t*>(page);
  uint64_t sum = 0;
  for (size_t i = 0; i < kPageBytes / 8; i += 8) {
    sum = words[i] | words[i + 1] | words[i + 2] | words[i + 3] | words[i + 4] | words[i + 5] | words[i + 6] |
          words[i + 7];
    if (sum != 0) return false;
  }
  return true;
}

uint32_t zero_page_checksum() {
  static const uint32_t crc = [] {
    static const uint8_t zeros[kPageBytes] = {};
    return crc32c(0, zeros, kPageBytes);
  }();
  return crc;
}

__attribute__((target("sse4.2"))) void checksums_of_four(const uint8_t* p, uint32_t* out) {
  const auto *a = reinterpret_cast<const uint64_t*>(p), *b = a + 512, *c = b + 512, *d = c + 512;
  uint64_t ca = ~0u, cb = ~0u, cc = ~0u, cd = ~0u;
  for (size_t i = 0; i < kPageBytes / 8; i++) {
    ca = _mm_crc32_u64(ca, a[i]);
    cb = _mm_crc32_u64(cb, b[i]);
    cc = _mm_crc32_u64(cc, c[i]);
    cd = _mm_crc32_u64(cd, d[i]);
  }
  out[0] = ~uint32_t(ca);
  out[1] = ~uint32_t(cb);
  out[2] = ~uint32_t(cc);
  out[3] = ~uint32_t(cd);
}

std::string hex_number(uint64_t v) {
  char text[20];
  snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(v));
  return text;
}

uint64_t random_id() {
  uint64_t id = 0;
  // From the pool that is always ready; a short answer is not possible below 256 bytes.
  if (getrandom(&id, sizeof id, 0) != ssize_t(sizeof id)) id = realtime_ns() ^ uint64_t(getpid()) << 48;
  return id | 1;
}

}  // namespace

void page_checksums(const uint8_t* pages, uint64_t count, uint32_t* out) {
  static const bool has_sse42 = __builtin_cpu_supports("sse4.2");
  uint64_t i = 0;
  for (; has_sse42 && i + 4 <= count; i += 4) checksums_of_four(pages + i * kPageBytes, out + i);
  for (; i < count; i++) out[i] = crc32c(0, pages + i * kPageBytes, kPageBytes);
}

std::string Damage::text() const {
  std::string s = path + " is damaged at byte " + std::to_string(offset) + ": " + what;
  if (space) {
    s += " (address " + hex_number(address);
    if (!region.empty()) s += ", in " + region;
    s += ", of " + (space_name.empty() ? "space " + std::to_string(*space) : space_name);
    if (pid != 0) s += ", process " + std::to_string(pid);
    s += ")";
  }
  return s;
}

// ---- Writing -----------------------------------------------------------------------------------------------------------

StateWriter::StateWriter(const std::string& journal_dir, std::optional<CheckpointRef> base)
    : dir_(checkpoint_dir(journal_dir)), base_(base) {
  if (int error = make_dirs(dir_); error != 0) fail(error, "make the folder");
  sweep_interrupted(dir_);
  int error = 0;
  file_ = make_temporary(dir_, &temporary_, &error);
  if (!file_) fail(error, "make a file");
}

StateWriter::~StateWriter() { remove_file(); }

void StateWriter::remove_file() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
  temporary_.clear();
  file_.reset();
}

void StateWriter::fail(int error, const std::string& doing) {
  // Its room is wanted at once: a full disk may be the reason.
  remove_file();
  throw HostError("CHECKPOINT_WRITE", error, dir_,
                  "cannot " + doing + " for the checkpoint in " + dir_ + ": " + errno_text(error) +
                      (error == ENOSPC || error == EDQUOT ? "; the checkpoints before it stay as they are" : ""));
}

void StateWriter::write(const void* data, size_t len, uint64_t offset) {
  if (!file_) fail(EBADF, "write");
  const char* p = static_cast<const char*>(data);
  while (len > 0) {
    const ssize_t n = pwrite(file_.get(), p, len, off_t(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) fail(n < 0 ? errno : EIO, "write");
    p += n;
    offset += uint64_t(n);
    len -= size_t(n);
  }
}

PageMap& StateWriter::map_of(uint32_t space) {
  for (auto& [id, map] : maps_)
    if (id == space) return map;
  return maps_.emplace_back(space, PageMap()).second;
}

void StateWriter::pages(uint32_t space, uint64_t address, const void* data, uint64_t count) {
  PageMap& map = map_of(space);
  const auto* bytes = static_cast<const uint8_t*>(data);
  const uint64_t first = address / kPageBytes;
  // Looked up before anything is assigned: assigning changes what is iterated over.
  struct Stretch {
    uint64_t page, count;
    bool has_slots;
    uint64_t slot;
  };
  std::vector<Stretch> stretches;
  map.for_each_in(first, count, [&](uint64_t page, uint64_t pages, const Place* place) {
    const bool has_slots = place != nullptr && place->kind == Place::kSlot;
    stretches.push_back({page, pages, has_slots, has_slots ? place->slot : 0});
  });
  for (const Stretch& s : stretches) {
    const uint8_t* from = bytes + (s.page - first) * kPageBytes;
    if (!s.has_slots) {
      append_pages(&map, s.page, from, s.count);
      continue;
    }
    if (s.slot + s.count > gathered_slot_) write_gathered();
    write(from, s.count * kPageBytes, StateFile::offset_of(s.slot));
    page_checksums(from, s.count, &checksums_[s.slot]);
  }
}

void StateWriter::append_pages(PageMap* map, uint64_t page, const uint8_t* data, uint64_t count) {
  uint64_t i = 0;
  while (i < count) {
    uint64_t zeros = 0;
    while (i + zeros < count && is_zero(data + (i + zeros) * kPageBytes)) zeros++;
    // At the edges of what is given too: they cost nothing as runs, and holes there would be slots for nothing.
    if (zeros > 0) {
      map->assign(page + i, zeros, {Place::kZero});
      i += zeros;
      continue;
    }
    // A run of slots: to the last page with something in it before a long stretch of zeros.
    uint64_t end = i + 1, at = i + 1;
    for (; at < count && at - end <= kHolePagesMax; at++)
      if (!is_zero(data + at * kPageBytes)) end = at + 1;
    const uint64_t slot = slots(), pages = end - i;
    checksums_.resize(slot + pages, zero_page_checksum());
    for (uint64_t j = i; j < end;) {
      uint64_t solid = 0;
      while (j + solid < end && !is_zero(data + (j + solid) * kPageBytes)) solid++;
      append_slots(slot + j - i, data + j * kPageBytes, solid);
      j += solid;
      while (j < end && is_zero(data + j * kPageBytes)) j++;
    }
    map->assign(page + i, pages, {Place::kSlot, 0, slot});
    i = end;
  }
}

void StateWriter::append_slots(uint64_t slot, const uint8_t* data, uint64_t count) {
  const uint64_t bytes = count * kPageBytes;
  if (slot != gathered_slot_ + gathered_.size() / kPageBytes || gathered_.size() + bytes > kGatheredBytes)
    write_gathered();
  if (bytes >= kGatheredBytes) {
    write(data, bytes, StateFile::offset_of(slot));
    page_checksums(data, count, &checksums_[slot]);
    return begin_writeback(StateFile::offset_of(slot + count));
  }
  if (gathered_.empty()) gathered_slot_ = slot;
  gathered_.insert(gathered_.end(), data, data + bytes);
}

void StateWriter::write_gathered() {
  if (gathered_.empty()) return;
  write(gathered_.data(), gathered_.size(), StateFile::offset_of(gathered_slot_));
  const uint64_t count = gathered_.size() / kPageBytes;
  page_checksums(gathered_.data(), count, &checksums_[gathered_slot_]);
  gathered_.clear();
  begin_writeback(StateFile::offset_of(gathered_slot_ + count));
}

void StateWriter::zeros(uint32_t space, uint64_t address, uint64_t count) {
  map_of(space).assign(address / kPageBytes, count, {Place::kZero});
}

void StateWriter::drop(uint32_t space, uint64_t address, uint64_t count) {
  map_of(space).assign(address / kPageBytes, count, {Place::kVoid});
}

// So that commit() has less to wait for.
void StateWriter::begin_writeback(uint64_t end) {
  // A disk that is busy would hold up what little there is: that is written when it is committed.
  if (end < written_back_ + kWritebackBytes) return;
  // Failures show at commit(), which waits for the same pages.
  sync_file_range(file_.get(), off_t(written_back_), off_t(end - written_back_), SYNC_FILE_RANGE_WRITE);
  written_back_ = end;
}

CheckpointRef StateWriter::commit(Manifest manifest) {
  if (base_) {
    // It may have been removed since this was begun, and an increment upon nothing would be litter.
    const std::string base_path = dir_ + "/" + state_name(base_->seq);
    if (base_->seq >= manifest.self.seq || StateFile(base_path).manifest().self != *base_) {
      remove_file();
      throw HostError("CHECKPOINT_MISSING", ENOENT, base_path,
                      "the checkpoint that this one was to build upon, " + base_path + ", is not that one any more");
    }
  }
  manifest.self.id = random_id();
  manifest.base = base_;
  manifest.time_ns = realtime_ns();
  manifest.host = local_identity();
  utsname names{};
  uname(&names);
  manifest.host_name = names.nodename;
  manifest.kernel = names.release;
  return commit_as(std::move(manifest), false);
}

CheckpointRef StateWriter::commit_as(Manifest manifest, bool replace) {
  write_gathered();
  manifest.version = kManifestVersion;
  std::vector<SpacePages> pages;
  for (const auto& [space, map] : maps_) pages.push_back({space, map.runs()});
  StateHeader header{};
  memcpy(header.magic, kMagic, sizeof kMagic);
  header.version = kStateVersion;
  header.page_bytes = kPageBytes;
  header.seq = manifest.self.seq;
  header.id = manifest.self.id;
  header.slots = slots();
  uint64_t at = StateFile::offset_of(slots());
  std::string parts[kParts];
  parts[kManifestPart] = encode_manifest(manifest);
  parts[kRunsPart] = encode_pages(pages);
  parts[kChecksumsPart].assign(reinterpret_cast<const char*>(checksums_.data()), checksums_.size() * sizeof(uint32_t));
  parts[kSectionsPart] = encode_sections(manifest.sections);
  for (int i = 0; i < kParts; i++) {
    if (i != kChecksumsPart && parts[i].size() > kPartBytesMax) fail(EFBIG, "write the " + std::string(kPartNames[i]));
    header.parts[i] = {at, parts[i].size(), crc32c(0, parts[i].data(), parts[i].size()), 0};
    write(parts[i].data(), parts[i].size(), at);
    at += parts[i].size();
  }
  header.file_bytes = at;
  uint8_t page[kPageBytes] = {};
  memcpy(page, &header, sizeof header);
  const uint32_t crc = crc32c(0, page, kPageBytes - sizeof(uint32_t));
  memcpy(page + kPageBytes - sizeof crc, &crc, sizeof crc);
  write(page, kPageBytes, 0);
  if (fsync(file_.get()) != 0) fail(errno, "bring the data to the disk");
  const std::string path = dir_ + "/" + state_name(manifest.self.seq);
  if (renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path.c_str(), replace ? 0 : RENAME_NOREPLACE) != 0) {
    const int error = errno;
    if (error != EEXIST) fail(error, "give the file its name");
    remove_file();
    throw HostError("CHECKPOINT_EXISTS", error, path,
                    "there is a checkpoint at event " + std::to_string(manifest.self.seq) + " already: " + path);
  }
  temporary_.clear();
  file_.reset();
  // Without this a crash of the machine could leave the data without its name.
  if (int error = sync_folder(dir_); error != 0) fail(error, "bring the file's name to the disk");
  return manifest.self;
}

// ---- Reading -----------------------------------------------------------------------------------------------------------

StateFile::StateFile(const std::string& path) : path_(path), file_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  struct stat st {};
  if (!file_ || fstat(file_.get(), &st) != 0) {
    const int error = errno;
    throw HostError(error == ENOENT ? "CHECKPOINT_MISSING" : "CHECKPOINT_READ", error, path,
                    error == ENOENT ? "there is no checkpoint " + path
                                    : "cannot read the checkpoint " + path + ": " + errno_text(error));
  }
  file_bytes_ = uint64_t(st.st_size);
  if (file_bytes_ < kPageBytes)
    damaged("file", "it is cut off within its header, which has " + std::to_string(kPageBytes) + " bytes", file_bytes_,
            kPageBytes - file_bytes_);
  uint8_t page[kPageBytes];
  read_raw(page, sizeof page, 0, "header");
  StateHeader header;
  memcpy(&header, page, sizeof header);
  if (memcmp(header.magic, kMagic, sizeof kMagic) != 0)
    damaged("header", "it does not begin as a state file does", 0, sizeof kMagic);
  uint32_t crc;
  memcpy(&crc, page + kPageBytes - sizeof crc, sizeof crc);
  if (crc != crc32c(0, page, kPageBytes - sizeof crc))
    damaged("header", "the header's checksum is wrong", 0, kPageBytes);
  if (header.version != kStateVersion || header.page_bytes != kPageBytes)
    throw HostError("CHECKPOINT_READ", EPROTO, path,
                    path + " has format version " + std::to_string(header.version) + " with pages of " +
                        std::to_string(header.page_bytes) + " bytes; this is for version " +
                        std::to_string(kStateVersion) + " and " + std::to_string(kPageBytes) + " bytes");
  if (file_bytes_ != header.file_bytes) {
    const uint64_t from = std::min(file_bytes_, header.file_bytes);
    std::string lies_in = "pages";
    for (int i = 0; i < kParts; i++)
      if (from >= header.parts[i].offset) lies_in = kPartNames[i];
    damaged("file",
            file_bytes_ < header.file_bytes
                ? "it is cut off here, within the " + lies_in + "; " + std::to_string(header.file_bytes - file_bytes_) +
                      " bytes are missing"
                : "there are " + std::to_string(file_bytes_ - header.file_bytes) + " bytes behind its end",
            from, std::max(file_bytes_, header.file_bytes) - from);
  }
  // The header's checksum was right, so these are a writer's errors rather than damage; reading must not go wrong by them either way.
  uint64_t at = offset_of(header.slots);
  for (const StateHeader::Part& p : header.parts) {
    if (p.offset != at || p.bytes > header.file_bytes - at)
      damaged("header", "the parts do not follow each other", 0, kPageBytes);
    at += p.bytes;
  }
  if (at != header.file_bytes || header.parts[kChecksumsPart].bytes != header.slots * sizeof(uint32_t))
    damaged("header", "the parts do not add up to the file", 0, kPageBytes);
  const std::string manifest = part(kManifestPart, kPartNames[kManifestPart], header);
  const std::string runs = part(kRunsPart, kPartNames[kRunsPart], header);
  const std::string sums = part(kChecksumsPart, kPartNames[kChecksumsPart], header);
  const std::string sections = part(kSectionsPart, kPartNames[kSectionsPart], header);
  const auto malformed = [&](int index) {
    damaged(kPartNames[index], std::string("the ") + kPartNames[index] + " are not what this version reads",
            header.parts[index].offset, header.parts[index].bytes);
  };
  if (!decode_manifest(manifest, &manifest_) || manifest_.self != CheckpointRef{header.seq, header.id})
    malformed(kManifestPart);
  if (!decode_pages(runs, header.slots, &pages_)) malformed(kRunsPart);
  if (!decode_sections(sections, &manifest_.sections)) malformed(kSectionsPart);
  checksums_.resize(header.slots);
  memcpy(checksums_.data(), sums.data(), sums.size());
}

std::string StateFile::part(int index, const char* name, const StateHeader& header) const {
  const StateHeader::Part& p = header.parts[index];
  std::string bytes(p.bytes, '\0');
  read_raw(bytes.data(), bytes.size(), p.offset, name);
  if (crc32c(0, bytes.data(), bytes.size()) != p.crc)
    damaged(name, std::string("the checksum of the ") + name + " is wrong", p.offset, p.bytes);
  return bytes;
}

void StateFile::damaged(const std::string& part, std::string what, uint64_t offset, uint64_t length) const {
  Damage damage;
  damage.part = part;
  damage.what = std::move(what);
  damage.path = path_;
  damage.offset = offset;
  damage.length = length;
  throw DamageError(damage);
}

void StateFile::read_raw(void* out, size_t len, uint64_t offset, const std::string& part) const {
  char* p = static_cast<char*>(out);
  while (len > 0) {
    const ssize_t n = pread(file_.get(), p, len, off_t(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0)
      throw HostError("CHECKPOINT_READ", errno, path_,
                      "cannot read " + path_ + " at byte " + std::to_string(offset) + ": " + errno_text(errno));
    if (n == 0) damaged(part, "it was cut off here while it was read", offset, len);
    p += n;
    offset += uint64_t(n);
    len -= size_t(n);
  }
}

Damage StateFile::damage_of(uint64_t slot, std::string what) const {
  Damage damage;
  damage.part = "pages";
  damage.what = std::move(what);
  damage.path = path_;
  damage.offset = offset_of(slot);
  damage.length = kPageBytes;
  for (const SpacePages& pages : pages_)
    for (const PageRun& run : pages.runs) {
      if (run.place.kind != Place::kSlot || slot < run.place.slot || slot - run.place.slot >= run.count) continue;
      damage.space = pages.space;
      damage.address = (run.page + slot - run.place.slot) * kPageBytes;
      const Space* space = manifest_.space(pages.space);
      if (space == nullptr) return damage;
      damage.pid = space->pid;
      damage.space_name = space->name;
      for (const Region& region : space->regions)
        if (damage.address >= region.start && damage.address < region.end) {
          damage.region = hex_number(region.start) + "-" + hex_number(region.end) +
                          (region.name.empty() ? "" : " " + region.name);
        }
      return damage;
    }
  return damage;
}

void StateFile::read(uint64_t slot, uint64_t count, uint8_t* out) const {
  read_raw(out, count * kPageBytes, offset_of(slot), "pages");
  std::vector<uint32_t> sums(count);
  page_checksums(out, count, sums.data());
  for (uint64_t i = 0; i < count; i++)
    if (sums[i] != checksums_[slot + i]) throw DamageError(damage_of(slot + i, "the page's checksum is wrong"));
}

void StateFile::verify(uint64_t slot, uint64_t count, const std::function<void(const Damage&)>& damaged) const {
  std::vector<uint8_t> buffer(kReadPages * kPageBytes);
  uint32_t sums[kReadPages];
  while (count > 0) {
    const uint64_t here = std::min(count, kReadPages);
    read_raw(buffer.data(), here * kPageBytes, offset_of(slot), "pages");
    page_checksums(buffer.data(), here, sums);
    for (uint64_t i = 0; i < here; i++)
      if (sums[i] != checksums_[slot + i]) damaged(damage_of(slot + i, "the page's checksum is wrong"));
    slot += here;
    count -= here;
  }
}

}  // namespace understudy::host::checkpoint
