// Memory that several processes have, in a checkpoint: shared mappings, and the files of the guest's own /dev/shm. See checkpointer.h.
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "checkpointer.h"
#include "checkpointer_parts.h"

namespace understudy::host::checkpoint {
namespace {
constexpr char kSharedMemoryFiles[] = "/dev/shm/";
}  // namespace

// The whole file: what the group does not map now, it may map later, and finds there what was written through a mapping.
bool Checkpointer::read_file_of(const Mapping& m, uint64_t dev, uint64_t ino, pid_t pid, SharedObject* object,
                                StateWriter* writer) {
  UniqueFd file(open(("/proc/" + std::to_string(pid) + "/root" + m.path).c_str(), O_RDONLY | O_CLOEXEC));
  struct stat st {};
  if (m.deleted || !file || fstat(file.get(), &st) != 0 || st.st_ino != ino || st.st_dev != dev) return false;
  if (m.path.starts_with(kSharedMemoryFiles)) {
    object->state.path = m.path;
    object->state.mode = st.st_mode;
    object->state.uid = st.st_uid;
    object->state.gid = st.st_gid;
  }
  object->state.bytes = uint64_t(st.st_size);
  for (uint64_t at = 0; at < object->state.bytes;) {
    const ssize_t n = pread(file.get(), buffer_.data(), buffer_.size(), off_t(at));
    if (n <= 0) return false;
    const uint64_t whole = page_up(uint64_t(n));
    memset(&buffer_[size_t(n)], 0, whole - uint64_t(n));
    for (uint64_t page = 0; page < whole; page += kPageBytes)
      if (!is_zero(&buffer_[page])) writer->pages(object->space, at + page, &buffer_[page], 1);
    at += uint64_t(n);
    if (uint64_t(n) < buffer_.size()) break;
  }
  return true;
}

// As read_file_of, of one that has no name, only its data. False: not on this kernel, or not allowed.
bool Checkpointer::read_mapped_file(const Mapping& m, pid_t pid, SharedObject* object, StateWriter* writer) {
  char range[64];
  snprintf(range, sizeof range, "%lx-%lx", (unsigned long)m.start, (unsigned long)m.end);
  const UniqueFd file(open(("/proc/" + std::to_string(pid) + "/map_files/" + range).c_str(), O_RDONLY | O_CLOEXEC));
  struct stat st {};
  if (!file || fstat(file.get(), &st) != 0) return false;
  object->state.bytes = uint64_t(st.st_size);
  for (off_t at = 0; (at = lseek(file.get(), at, SEEK_DATA)) >= 0;) {
    const off_t hole = std::min(std::max(lseek(file.get(), at, SEEK_HOLE), at), st.st_size);
    for (at &= ~off_t(kPageBytes - 1); at < hole;) {
      const size_t want = std::min(buffer_.size(), size_t(hole - at));
      const ssize_t n = pread(file.get(), buffer_.data(), want, at);
      if (n <= 0) return false;
      const uint64_t whole = page_up(uint64_t(n));
      memset(&buffer_[size_t(n)], 0, whole - uint64_t(n));
      for (uint64_t page = 0; page < whole; page += kPageBytes)
        if (!is_zero(&buffer_[page])) writer->pages(object->space, uint64_t(at) + page, &buffer_[page], 1);
      at += off_t(whole);
    }
  }
  return errno == ENXIO;
}

// Files of the guest's own /dev/shm that nobody has mapped at the moment.
void Checkpointer::read_named_memory(pid_t pid, StateWriter* writer) {
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(enclosure_.root() + kSharedMemoryFiles, error)) {
    struct stat st {};
    if (lstat(file.path().c_str(), &st) != 0 || !S_ISREG(st.st_mode)) continue;
    const std::string key = "shared " + std::to_string(st.st_dev) + " " + std::to_string(st.st_ino);
    auto [entry, inserted] = shared_.try_emplace(key);
    if (!inserted) continue;
    SharedObject& object = entry->second;
    object.space = space_of(key);
    writer->drop(object.space, 0, kUserPages);
    Mapping as;
    as.path = object.name = kSharedMemoryFiles + file.path().filename().string();
    object.state.space = object.space;
    if (!read_file_of(as, st.st_dev, st.st_ino, pid, &object, writer)) shared_.erase(entry);
  }
}

void Checkpointer::read_shared(const Mapping& m, const ProcessMemory& memory, StateWriter* writer) {
  const std::string key = "shared " + std::to_string(m.dev) + " " + std::to_string(m.ino);
  auto [entry, inserted] = shared_.try_emplace(key);
  SharedObject& object = entry->second;
  if (inserted) {
    object.space = space_of(key);
    writer->drop(object.space, 0, kUserPages);
    object.name = m.path;
    object.state.space = object.space;
    if (const Capture* known = capture_of(m)) {
      object.state.kind = SharedState::kFile;
      object.state.dev = known->dev;
      object.state.ino = known->ino;
      // Deleted, or a memory file: by way of the mapping.
      if (read_file_of(m, known->dev, known->ino, memory.pid(), &object, writer) ||
          (m.deleted && read_mapped_file(m, memory.pid(), &object, writer)))
        object.read.emplace_back(0, ~0ull);
    } else if (m.path.rfind("/SYSV", 0) == 0) {
      object.state.kind = SharedState::kSysV;
      object.state.ino = m.ino;
    } else if (m.path.rfind("/memfd:", 0) == 0) {
      if (read_mapped_file(m, memory.pid(), &object, writer)) object.read.emplace_back(0, ~0ull);
    } else if (m.path.starts_with(kSharedMemoryFiles)) {
      if (read_file_of(m, m.dev, m.ino, memory.pid(), &object, writer)) object.read.emplace_back(0, ~0ull);
    } else if (m.path.rfind("/dev/", 0) == 0 && !m.named("/dev/zero")) {
      unsupported("process " + std::to_string(memory.pid()) + " has mapped " + m.path);
    }
  }
  const uint64_t begin = m.offset, end = m.offset + (m.end - m.start);
  object.end = std::max(object.end, end);
  const bool whole = !object.read.empty() && object.read.front().second == ~0ull;
  if (!whole) object.state.bytes = std::max(object.state.bytes, end);
  for (const auto& [from, to] : object.read)
    if (begin >= from && end <= to) return;
  object.read.emplace_back(begin, end);
  // Reading a page that was never written would make it: the object is asked what it has, where this is allowed.
  char range[64];
  snprintf(range, sizeof range, "%lx-%lx", (unsigned long)m.start, (unsigned long)m.end);
  UniqueFd file(open(("/proc/" + std::to_string(memory.pid()) + "/map_files/" + range).c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return copy(memory, m.start, m.end - m.start, object.space, begin, true, writer);
  for (uint64_t at = begin; at < end;) {
    const off_t data = lseek(file.get(), off_t(at), SEEK_DATA);
    if (data < 0 || uint64_t(data) >= end) return;
    off_t hole = lseek(file.get(), data, SEEK_HOLE);
    if (hole < data) hole = off_t(end);
    const uint64_t from = uint64_t(data) & ~(kPageBytes - 1), to = std::min(page_up(uint64_t(hole)), end);
    copy(memory, m.start + (from - begin), to - from, object.space, from, true, writer);
    at = to;
  }
}

}  // namespace understudy::host::checkpoint
