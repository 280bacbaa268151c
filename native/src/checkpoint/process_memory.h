// Another process's memory, for reading: its mappings, which pages are its own, and their bytes.
//
// Must not: stop or change the process. Whoever reads sees to it that it stands still.
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "common.h"

namespace understudy::host::checkpoint {

struct Mapping {
  uint64_t start = 0, end = 0, offset = 0, dev = 0, ino = 0;
  uint32_t prot = 0;
  bool shared = false;
  std::string path;  // without " (deleted)"
  bool deleted = false;
  bool named(const char* name) const { return path == name; }
};

class ProcessMemory {
 public:
  // False from here on when the process cannot be read: see error().
  explicit ProcessMemory(pid_t pid);
  pid_t pid() const { return pid_; }

  // 0 or an errno. What is not the guest's (the agent, the vDSO) is left out.
  int mappings(std::vector<Mapping>* out) const;
  // Calls f(address, bytes) for each stretch in [start, end) of pages that the process has of its own (neither untouched nor a file's).
  // 0 or an errno.
  int own_pages(uint64_t start, uint64_t end, const std::function<void(uint64_t address, uint64_t bytes)>& f) const;
  // Whole pages, whatever their protection. Fewer than asked when the rest is not there (a file's mapping behind its end).
  uint64_t read(uint64_t address, void* out, uint64_t bytes) const;
  bool read_all(uint64_t address, void* out, uint64_t bytes) const { return read(address, out, bytes) == bytes; }

 private:
  const pid_t pid_;
  UniqueFd mem_, pagemap_;
};

}  // namespace understudy::host::checkpoint
