// What preflight wants to know of an executable.
#pragma once
#include <string>
#include <vector>

#include "sites.h"

namespace understudy::host {

struct ElfInfo {
  std::string type, machine, interpreter, build_id;
  std::vector<std::string> needed;
  bool is_static = false;
  std::shared_ptr<const SiteMap> sites;
  // Address of a file offset as the file's own symbols count.
  uint64_t address_of(uint64_t offset) const;
};

// Throws HostError ELF.
ElfInfo elf_info(const std::string& path);

}  // namespace understudy::host
