// A read-only, bounds-checked look at an ELF file: what site analysis and preflight need of it.
//
// Invariants:
//  - Every offset that comes from the file is checked before it is followed: files are input.
//
// Must not: resolve or relocate anything.
#pragma once
#include <elf.h>
#include <stdint.h>
#include <string.h>

#include <optional>
#include <string>
#include <vector>

namespace understudy::host {

class ElfView {
 public:
  ElfView() = default;
  ElfView(ElfView&& other) noexcept;
  ElfView& operator=(ElfView&& other) noexcept;
  ~ElfView();

  // "" or what is wrong with it. A 32-bit ELF file opens, with is_64() false and no tables.
  std::string open(const std::string& path);

  const uint8_t* data() const { return data_; }
  uint64_t size() const { return size_; }
  bool is_64() const { return is_64_; }
  uint16_t type() const { return type_; }
  uint16_t machine() const { return machine_; }
  const std::vector<Elf64_Phdr>& segments() const { return segments_; }
  const std::vector<Elf64_Shdr>& sections() const { return sections_; }
  uint64_t entry() const { return entry_; }

  bool within(uint64_t offset, uint64_t len) const { return offset <= size_ && len <= size_ - offset; }
  template <class T>
  bool read(uint64_t offset, T* out) const {
    if (!within(offset, sizeof(T))) return false;
    memcpy(out, data_ + offset, sizeof(T));
    return true;
  }
  std::optional<uint64_t> offset_of(uint64_t vaddr) const;
  std::string string_at(uint64_t offset) const;

 private:
  const uint8_t* data_ = nullptr;
  uint64_t size_ = 0, entry_ = 0;
  bool is_64_ = false;
  uint16_t type_ = 0, machine_ = 0;
  std::vector<Elf64_Phdr> segments_;
  std::vector<Elf64_Shdr> sections_;
};

}  // namespace understudy::host
