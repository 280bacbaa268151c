// One file of a checkpoint: writer and reader side by side, so that they change together. docs/state-file.md has the format.
//
//   [header: one page][page data: slots of one page each][manifest][page runs][checksums, one for each slot][sections]
//
// Invariants:
//  - A name that ends in ".state" is a whole checkpoint: files are written under another name, synced, and renamed. One that was
//    interrupted is no checkpoint, and is removed by the next writer (its lock tells whether its writer lives).
//  - Every bit is covered: the header by its own checksum, each slot by one of its own, every other part by one in the header. The parts
//    lie gapless one behind the other, and their end is the file's.
//  - Page data is page-aligned and not compressed, so that a restore can map it. A page of zeros between others is a hole in the file,
//    and a longer stretch of them has no slots at all.
//
// Must not: know what is in the sections, or which processes there are beyond their names in messages.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common.h"
#include "manifest.h"

namespace understudy::host::checkpoint {

inline constexpr uint32_t kStateVersion = 1;

// <journal>/checkpoints
std::string checkpoint_dir(const std::string& journal_dir);
// <journal>/checkpoints/<seq, 20 digits>.state
std::string state_path(const std::string& journal_dir, uint64_t seq);

// Where a file is damaged, as precisely as can be told.
struct Damage {
  std::string part;  // header, pages, manifest, page runs, checksums, sections, file
  std::string what;
  std::string path;
  uint64_t offset = 0, length = 0;  // in the file
  // Of page data, when some part of the checkpoint is in the damaged slot:
  std::optional<uint32_t> space;
  int64_t pid = 0;
  uint64_t address = 0;
  std::string space_name, region;
  std::string text() const;
};

// Code CHECKPOINT_DAMAGED. Others of this folder: CHECKPOINT_WRITE, CHECKPOINT_READ, CHECKPOINT_MISSING, CHECKPOINT_EXISTS.
struct DamageError : HostError {
  explicit DamageError(Damage damage_)
      : HostError("CHECKPOINT_DAMAGED", EBADMSG, damage_.path, damage_.text()), damage(std::move(damage_)) {}
  Damage damage;
};

class StateWriter {
 public:
  // Makes the folder if need be, and removes what interrupted writers left. Throws HostError CHECKPOINT_WRITE, as all others here.
  // With a base the file holds only what has changed since.
  explicit StateWriter(const std::string& journal_dir, std::optional<CheckpointRef> base = std::nullopt);
  // Not committed: the file is removed.
  ~StateWriter();
  StateWriter(const StateWriter&) = delete;
  StateWriter& operator=(const StateWriter&) = delete;

  // `count` pages at a page-aligned address; what was said of them before is replaced (in place: a page that is copied ten times while
  // the guest runs takes the room of one).
  void pages(uint32_t space, uint64_t address, const void* data, uint64_t count);
  // These are all zeros.
  void zeros(uint32_t space, uint64_t address, uint64_t count);
  // What older files say of this range is void: it was unmapped, or discarded.
  void drop(uint32_t space, uint64_t address, uint64_t count);

  // So far: of page data, in the file.
  uint64_t page_bytes() const { return slots() * kPageBytes; }
  // Makes it a checkpoint: on the disk, all of it, when this returns. `manifest` needs no version, id, base, time and host: these are
  // filled in. Throws CHECKPOINT_EXISTS when there is one of this seq.
  CheckpointRef commit(Manifest manifest);

 private:
  friend class Folder;
  // Of the folded file: it replaces the one of this seq, under the same id.
  CheckpointRef commit_as(Manifest manifest, bool replace);
  uint64_t slots() const { return checksums_.size(); }
  PageMap& map_of(uint32_t space);
  void write(const void* data, size_t len, uint64_t offset);
  void append_pages(PageMap* map, uint64_t page, const uint8_t* data, uint64_t count);
  void append_slots(uint64_t slot, const uint8_t* data, uint64_t count);
  void write_gathered();
  void begin_writeback(uint64_t end);
  void remove_file();
  [[noreturn]] void fail(int error, const std::string& doing);

  const std::string dir_;
  const std::optional<CheckpointRef> base_;
  std::string temporary_;
  UniqueFd file_;
  std::vector<std::pair<uint32_t, PageMap>> maps_;
  std::vector<uint32_t> checksums_;  // of slots
  // The last slots, which are not in the file yet: what a guest has written to is here a page and there a page, and a call of the kernel
  // for each one costs more than the copy.
  std::vector<uint8_t> gathered_;
  uint64_t gathered_slot_ = 0;
  uint64_t written_back_ = 0;
};

class StateFile {
 public:
  // Checks everything but the page data. Throws DamageError, or HostError CHECKPOINT_MISSING, CHECKPOINT_READ.
  explicit StateFile(const std::string& path);
  StateFile(StateFile&&) = default;

  const std::string& path() const { return path_; }
  int fd() const { return file_.get(); }
  uint64_t file_bytes() const { return file_bytes_; }
  uint64_t slots() const { return checksums_.size(); }
  const Manifest& manifest() const { return manifest_; }
  const std::vector<SpacePages>& pages() const { return pages_; }
  static uint64_t offset_of(uint64_t slot) { return kPageBytes * (slot + 1); }

  // Reads slots, each of which is checked. Throws DamageError.
  void read(uint64_t slot, uint64_t count, uint8_t* out) const;
  // Checks [slot, slot + count) of the page data and tells of each damaged slot. Any thread.
  void verify(uint64_t slot, uint64_t count, const std::function<void(const Damage&)>& damaged) const;
  // What a slot is a page of, for messages.
  Damage damage_of(uint64_t slot, std::string what) const;

 private:
  std::string part(int index, const char* name, const struct StateHeader& header) const;
  [[noreturn]] void damaged(const std::string& part, std::string what, uint64_t offset, uint64_t length) const;
  void read_raw(void* out, size_t len, uint64_t offset, const std::string& part) const;

  std::string path_;
  UniqueFd file_;
  uint64_t file_bytes_ = 0;
  Manifest manifest_;
  std::vector<SpacePages> pages_;
  std::vector<uint32_t> checksums_;
};

// The checksums of pages one behind the other: of several at a time, which is what the instruction's latency leaves room for.
void page_checksums(const uint8_t* pages, uint64_t count, uint32_t* out);

}  // namespace understudy::host::checkpoint
