// See elf_info.h.
#include "elf_info.h"

#include "common.h"

namespace understudy::host {

uint64_t ElfInfo::address_of(uint64_t offset) const {
  for (const Elf64_Phdr& segment : sites->elf.segments()) {
    if (segment.p_type == PT_LOAD && offset >= segment.p_offset && offset - segment.p_offset < segment.p_filesz)
      return segment.p_vaddr + (offset - segment.p_offset);
  }
  return offset;
}

ElfInfo elf_info(const std::string& path) {
  ElfInfo info;
  std::string error;
  info.sites = analyse(path, true, &error);
  if (info.sites == nullptr) throw HostError("ELF", 0, path, path + ": " + error);
  const ElfView& elf = info.sites->elf;
  switch (elf.type()) {
    case ET_EXEC: info.type = "exec"; break;
    case ET_DYN: info.type = "dyn"; break;
    case ET_REL: info.type = "rel"; break;
    case ET_CORE: info.type = "core"; break;
    default: info.type = "other"; break;
  }
  info.machine = elf.machine() == EM_X86_64 && elf.is_64()               ? "x86-64"
                 : elf.machine() == EM_386 || elf.machine() == EM_X86_64 ? "x86"
                                                                         : "other";
  bool dynamic = false;
  for (const Elf64_Phdr& segment : elf.segments()) {
    if (!elf.within(segment.p_offset, segment.p_filesz)) continue;
    const uint64_t end = segment.p_offset + segment.p_filesz;
    if (segment.p_type == PT_INTERP) info.interpreter = elf.string_at(segment.p_offset);
    if (segment.p_type == PT_NOTE) {
      for (uint64_t at = segment.p_offset; at + sizeof(Elf64_Nhdr) <= end;) {
        Elf64_Nhdr note;
        elf.read(at, &note);
        const uint64_t name = at + sizeof note, desc = name + ((uint64_t(note.n_namesz) + 3) & ~3ull);
        if (desc + note.n_descsz > end) break;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 && memcmp(elf.data() + name, "GNU", 4) == 0)
          info.build_id = hex(elf.data() + desc, note.n_descsz);
        at = desc + ((uint64_t(note.n_descsz) + 3) & ~3ull);
      }
    }
    if (segment.p_type == PT_DYNAMIC) {
      dynamic = true;
      uint64_t strings = 0;
      std::vector<uint64_t> needed;
      for (uint64_t at = segment.p_offset; at + sizeof(Elf64_Dyn) <= end; at += sizeof(Elf64_Dyn)) {
        Elf64_Dyn entry;
        elf.read(at, &entry);
        if (entry.d_tag == DT_NULL) break;
        if (entry.d_tag == DT_STRTAB) strings = elf.offset_of(entry.d_un.d_ptr).value_or(0);
        if (entry.d_tag == DT_NEEDED) needed.push_back(entry.d_un.d_val);
      }
      for (uint64_t offset : needed) {
        if (strings != 0) info.needed.push_back(elf.string_at(strings + offset));
      }
    }
  }
  // A static PIE has a dynamic section for its own relocations, but no interpreter and needs nothing.
  info.is_static = info.interpreter.empty() && info.needed.empty() && (elf.type() == ET_EXEC || dynamic);
  return info;
}

}  // namespace understudy::host
