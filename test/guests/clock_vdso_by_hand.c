// The vDSO is found through AT_SYSINFO_EHDR and its symbols are called directly
#include "guest.h"
#include <elf.h>
#include <sys/auxv.h>
int main(void) {
  const char* base = (const char*)getauxval(AT_SYSINFO_EHDR);
  if (!base) UNAVAILABLE("a vDSO");
  const Elf64_Ehdr* header = (const Elf64_Ehdr*)base;
  CHECK(memcmp(header->e_ident, ELFMAG, 4) == 0);
  const Elf64_Phdr* segments = (const Elf64_Phdr*)(base + header->e_phoff);
  const Elf64_Dyn* dynamic = NULL;
  const char* load = NULL;
  for (int i = 0; i < header->e_phnum; i++) {
    if (segments[i].p_type == PT_LOAD && !load) load = base + segments[i].p_offset - segments[i].p_vaddr;
    if (segments[i].p_type == PT_DYNAMIC) dynamic = (const Elf64_Dyn*)(base + segments[i].p_offset);
  }
  CHECK(load && dynamic);
  const Elf64_Sym* symbols = NULL;
  const char* names = NULL;
  const uint32_t* hash = NULL;
  for (; dynamic->d_tag; dynamic++) {
    if (dynamic->d_tag == DT_SYMTAB) symbols = (const Elf64_Sym*)(load + dynamic->d_un.d_ptr);
    if (dynamic->d_tag == DT_STRTAB) names = load + dynamic->d_un.d_ptr;
    if (dynamic->d_tag == DT_HASH) hash = (const uint32_t*)(load + dynamic->d_un.d_ptr);
  }
  CHECK(symbols && names);
  uint32_t count = hash ? hash[1] : 16;
  for (uint32_t i = 1; i < count; i++) {
    if (ELF64_ST_TYPE(symbols[i].st_info) != STT_FUNC || symbols[i].st_shndx == SHN_UNDEF) continue;
    const char* name = names + symbols[i].st_name;
    void* address = (void*)(uintptr_t)(load + symbols[i].st_value);
    if (strcmp(name, "__vdso_clock_gettime") == 0) {
      struct timespec t;
      CHECK(((int (*)(clockid_t, struct timespec*))address)(CLOCK_MONOTONIC, &t) == 0);
      say("%s: %ld.%09ld", name, (long)t.tv_sec, t.tv_nsec);
      CHECK(((int (*)(clockid_t, struct timespec*))address)(CLOCK_PROCESS_CPUTIME_ID, &t) == 0);
    } else if (strcmp(name, "__vdso_time") == 0) {
      say("%s: %ld", name, ((long (*)(long*))address)(NULL));
    } else if (strcmp(name, "__vdso_getcpu") == 0) {
      unsigned cpu = 0, node = 0;
      CHECK(((long (*)(unsigned*, unsigned*, void*))address)(&cpu, &node, NULL) == 0);
      say("%s: cpu %u node %u", name, cpu, node);
    }
  }
}
