// See elf_view.h.
#include "elf_view.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <utility>

#include "common.h"

namespace understudy::host {

ElfView::ElfView(ElfView&& other) noexcept { *this = std::move(other); }

ElfView& ElfView::operator=(ElfView&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  entry_ = other.entry_;
  is_64_ = other.is_64_;
  type_ = other.type_;
  machine_ = other.machine_;
  segments_ = std::move(other.segments_);
  sections_ = std::move(other.sections_);
  return *this;
}

ElfView::~ElfView() {
  if (data_ != nullptr) munmap(const_cast<uint8_t*>(data_), size_);
}

std::string ElfView::open(const std::string& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat st;
  if (!file || fstat(file.get(), &st) != 0) return errno_text(errno);
  if (!S_ISREG(st.st_mode)) return "not a regular file";
  if (uint64_t(st.st_size) < sizeof(Elf32_Ehdr)) return "not an ELF file";
  void* data = mmap(nullptr, size_t(st.st_size), PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) return errno_text(errno);
  data_ = static_cast<const uint8_t*>(data);
  size_ = uint64_t(st.st_size);
  if (memcmp(data_, ELFMAG, SELFMAG) != 0) return "not an ELF file";
  memcpy(&type_, data_ + offsetof(Elf64_Ehdr, e_type), sizeof type_);
  memcpy(&machine_, data_ + offsetof(Elf64_Ehdr, e_machine), sizeof machine_);
  is_64_ = data_[EI_CLASS] == ELFCLASS64;
  Elf64_Ehdr header;
  if (!is_64_) return "";
  if (!read(0, &header)) return "the ELF header is cut off";
  entry_ = header.e_entry;
  if (header.e_phentsize == sizeof(Elf64_Phdr) &&
      within(header.e_phoff, uint64_t(header.e_phnum) * sizeof(Elf64_Phdr))) {
    segments_.resize(header.e_phnum);
    if (header.e_phnum > 0)
      memcpy(segments_.data(), data_ + header.e_phoff, uint64_t(header.e_phnum) * sizeof(Elf64_Phdr));
  }
  if (header.e_shentsize == sizeof(Elf64_Shdr) &&
      within(header.e_shoff, uint64_t(header.e_shnum) * sizeof(Elf64_Shdr))) {
    sections_.resize(header.e_shnum);
    if (header.e_shnum > 0)
      memcpy(sections_.data(), data_ + header.e_shoff, uint64_t(header.e_shnum) * sizeof(Elf64_Shdr));
  }
  return "";
}

std::optional<uint64_t> ElfView::offset_of(uint64_t vaddr) const {
  for (const Elf64_Phdr& segment : segments_) {
    if (segment.p_type == PT_LOAD && vaddr >= segment.p_vaddr && vaddr - segment.p_vaddr < segment.p_filesz)
      return segment.p_offset + (vaddr - segment.p_vaddr);
  }
  return std::nullopt;
}

std::string ElfView::string_at(uint64_t offset) const {
  if (offset >= size_) return "";
  const char* begin = reinterpret_cast<const char*>(data_ + offset);
  return std::string(begin, strnlen(begin, size_ - offset));
}

}  // namespace understudy::host
