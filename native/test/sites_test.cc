// Site analysis on real files, and the rewriting it generates executed for real: a library is mapped a second time, patched, with
// a stand-in for the agent's entry behind the trampolines, and its functions are called.
//
// usage: sites_test [--list FILE]   (--list prints every site, for comparison with a disassembler)
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "elf_info.h"

using namespace understudy;
using namespace understudy::host;

namespace {

int failures = 0;
#define CHECK(condition)                                             \
  do {                                                               \
    if (!(condition)) {                                              \
      printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      failures++;                                                    \
    }                                                                \
  } while (0)

extern "C" {
uint64_t seen_calls, seen_insns, last_imm, gs_block[8];
void test_syscall_entry();
void test_insn_entry();
}

// As the real entries: continue at rcx. The instruction entry answers every request with a fixed value in rax and rdx.
asm(".globl test_syscall_entry, test_insn_entry\n"
    "test_syscall_entry:\n"
    "  incq seen_calls(%rip)\n"
    "  push %rcx\n"
    "  syscall\n"
    "  ret\n"
    "test_insn_entry:\n"
    "  incq seen_insns(%rip)\n"
    "  push %rcx\n"
    "  mov %gs:16, %eax\n"
    "  mov %rax, last_imm(%rip)\n"
    "  mov $0x1234, %eax\n"
    "  mov $0, %edx\n"
    "  mov %gs:8, %rcx\n"
    "  ret\n");

void* map_near(void* anchor, size_t size) {
  for (uint64_t step = 1; step < 1000; step++) {
    void* want = reinterpret_cast<void*>((reinterpret_cast<uint64_t>(anchor) & ~4095ull) + (step << 20));
    void* got = mmap(want, size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE,
                     -1, 0);
    if (got == want) return got;
  }
  abort();
}

size_t patch_at(const SiteMap& map, uint64_t offset, uint64_t len, void* address) {
  abi::Entry entry{};
  entry.syscall_entry = reinterpret_cast<uint64_t>(&test_syscall_entry);
  entry.insn_entry = reinterpret_cast<uint64_t>(&test_insn_entry);
  const SiteSizes sizes = bound_sizes(map, offset, len);
  void* trampolines = map_near(address, (sizes.trampoline_bytes + 4095) & ~4095ull);
  const auto at = reinterpret_cast<uint64_t>(address), to = reinterpret_cast<uint64_t>(trampolines);
  const Rewrite rewrite = generate(map, offset, len, at, to, entry);
  CHECK(rewrite.trampolines.size() <= sizes.trampoline_bytes);
  CHECK(rewrite.patches.size() <= sizes.patches);
  CHECK(rewrite.origins.size() == rewrite.patches.size());
  const Rewrite again = generate(map, offset, len, at, to, entry);
  CHECK(again.trampolines == rewrite.trampolines);
  memcpy(trampolines, rewrite.trampolines.data(), rewrite.trampolines.size());
  const uint64_t first = at & ~4095ull;
  CHECK(mprotect(reinterpret_cast<void*>(first), (at + len + 4095 - first) & ~4095ull,
                 PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
  for (const abi::Patch& patch : rewrite.patches) {
    CHECK(patch.addr >= at && patch.addr + patch.len <= at + len);
    memcpy(reinterpret_cast<void*>(patch.addr), patch.bytes, patch.len);
  }
  return rewrite.patches.size();
}

void list(const char* path, bool full) {
  std::string error;
  auto map = analyse(path, full, &error);
  if (map == nullptr) {
    printf("%s: %s\n", path, error.c_str());
    exit(1);
  }
  ElfInfo info;
  info.sites = map;
  for (const Site& site : map->sites)
    printf("%lx kind %d -%d +%d %s\n", info.address_of(site.offset), site.kind, site.before, site.after,
           site_reason_text(SiteReason(site.reason)));
}

const char* libc_path() {
  static Dl_info info;
  dladdr(reinterpret_cast<void*>(&getppid), &info);
  return info.dli_fname;
}

void libc_is_covered() {
  std::string error;
  auto map = analyse(libc_path(), false, &error);
  CHECK(map != nullptr);
  size_t found = 0, patchable = 0;
  for (const Site& site : map->sites) {
    found += site.kind == abi::kSiteSyscall;
    patchable += site.kind == abi::kSiteSyscall && site.reason == kPatchable;
  }
  printf("libc: %zu of %zu system call sites can be rewritten\n", patchable, found);
  CHECK(patchable > 500);
  CHECK(patchable * 100 >= found * 98);
  // The quick analysis and the thorough one agree.
  auto full = analyse(libc_path(), true, &error);
  CHECK(full->sites.size() == map->sites.size());
  for (size_t i = 0; i < full->sites.size() && i < map->sites.size(); i++)
    CHECK(memcmp(&full->sites[i], &map->sites[i], sizeof(Site)) == 0);
}

// A libc of its own (another link-map namespace), so that the test program's stays as it is.
void patched_libc_works() {
  void* copy = dlmopen(LM_ID_NEWLM, libc_path(), RTLD_NOW);
  CHECK(copy != nullptr);
  if (copy == nullptr) return;
  std::string error;
  auto map = analyse(libc_path(), false, &error);
  link_map* lm;
  dlinfo(copy, RTLD_DI_LINKMAP, &lm);
  size_t patches = 0;
  for (const Elf64_Phdr& segment : map->elf.segments()) {
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0)
      patches += patch_at(*map, segment.p_offset, segment.p_filesz,
                          reinterpret_cast<void*>(lm->l_addr + segment.p_vaddr));
  }
  CHECK(patches > 500);
  auto own_getppid = reinterpret_cast<pid_t (*)()>(dlsym(copy, "getppid"));
  auto own_open = reinterpret_cast<int (*)(const char*, int, ...)>(dlsym(copy, "open"));
  auto own_read = reinterpret_cast<ssize_t (*)(int, void*, size_t)>(dlsym(copy, "read"));
  auto own_close = reinterpret_cast<int (*)(int)>(dlsym(copy, "close"));
  auto own_syscall = reinterpret_cast<long (*)(long, ...)>(dlsym(copy, "syscall"));
  auto own_getpid = reinterpret_cast<pid_t (*)()>(dlsym(copy, "getpid"));
  auto own_snprintf = reinterpret_cast<int (*)(char*, size_t, const char*, ...)>(dlsym(copy, "snprintf"));
  auto own_getresuid = reinterpret_cast<int (*)(uid_t*, uid_t*, uid_t*)>(dlsym(copy, "getresuid"));
  auto own_mmap = reinterpret_cast<void* (*)(void*, size_t, int, int, int, off_t)>(dlsym(copy, "mmap"));
  const uint64_t before = seen_calls;
  CHECK(own_getppid() == getppid());
  CHECK(seen_calls == before + 1);
  CHECK(own_getpid() == getpid());
  CHECK(own_syscall(SYS_getppid) == getppid());
  char buffer[16] = {};
  int fd = own_open("/proc/self/comm", O_RDONLY);
  CHECK(fd >= 0);
  CHECK(own_read(fd, buffer, sizeof buffer) > 0);
  CHECK(own_close(fd) == 0);
  CHECK(own_close(-1) == -1);
  uid_t r, e, s;
  CHECK(own_getresuid(&r, &e, &s) == 0 && r == getuid());
  void* page = own_mmap(nullptr, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(page != MAP_FAILED);
  CHECK(own_snprintf(buffer, sizeof buffer, "%d", 42) == 2 && strcmp(buffer, "42") == 0);
  CHECK(seen_calls >= before + 8);
}

// Every instruction kind and the awkward neighbours, from assembly below.
extern "C" {
extern const char cases_begin[], cases_end[];
}
asm(".pushsection .cases,\"ax\",@progbits\n"
    ".balign 4096\n"
    "cases_begin:\n"
    // 0: forward, with a short conditional branch that has to grow
    "case0: .cfi_startproc; mov $110, %eax; xor %esi,%esi; syscall; test %rax,%rax; js 1f; ret; 1: mov $-1,%eax; ret; "
    ".cfi_endproc\n"
    ".balign 16\n"
    // 1: backward only: what follows is a call
    "case1: .cfi_startproc; sub $8,%rsp; mov $110, %eax; syscall; call case_helper; add $8,%rsp; ret; .cfi_endproc\n"
    ".balign 16\n"
    // 2: forward over the end of the function, into padding
    "case2: .cfi_startproc; xor %eax,%eax; mov $110,%al; syscall; ret; .cfi_endproc; .nops 8\n"
    ".balign 16\n"
    // 3: cannot be rewritten: the loop enters right behind the call, and right at it
    "case3: .cfi_startproc; push %rbx; mov $3,%ebx; 1: mov $110,%eax; 2: syscall; dec %ebx; 3: jz 4f; test %ebx,%ebx; "
    "jnz 1b; jmp 2b; "
    "jmp 3b; 4: pop %rbx; ret; .cfi_endproc\n"
    ".balign 16\n"
    // 4: rip-relative instruction behind it
    "case4: .cfi_startproc; mov $110, %eax; syscall; mov case_value(%rip), %edx; add %rdx, %rax; ret; .cfi_endproc\n"
    ".balign 16\n"
    "case5: .cfi_startproc; mov $7,%ecx; rdtsc; shl $32,%rdx; or %rdx,%rax; add %rcx,%rax; ret; .cfi_endproc\n"
    ".balign 16\n"
    "case6: .cfi_startproc; rdrand %r9d; jnc 1f; mov %r9,%rax; 1: ret; .cfi_endproc\n"
    ".balign 16\n"
    "case_helper: .cfi_startproc; ret; .cfi_endproc\n"
    "case_value: .long 1000\n"
    "cases_end:\n"
    ".popsection\n"
    ".globl case0,case1,case2,case3,case4,case5,case6\n");
extern "C" {
long case0();
long case1();
long case2();
long case3();
long case4();
long case5();
long case6();
}

void awkward_cases_work() {
  std::string error;
  auto map = analyse("/proc/self/exe", false, &error);
  CHECK(map != nullptr);
  Dl_info info;
  link_map* lm = nullptr;
  dladdr1(reinterpret_cast<const void*>(&cases_begin), &info, reinterpret_cast<void**>(&lm), RTLD_DL_LINKMAP);
  const uint64_t vaddr = reinterpret_cast<uint64_t>(&cases_begin) - lm->l_addr;
  const uint64_t len = uint64_t(cases_end - cases_begin);
  const uint64_t offset = map->elf.offset_of(vaddr).value();
  syscall(SYS_arch_prctl, 0x1001 /* ARCH_SET_GS */, gs_block);
  const long parent = getppid();
  const size_t patched = patch_at(*map, offset, len, reinterpret_cast<void*>(lm->l_addr + vaddr));
  printf("awkward cases: %zu rewritten\n", patched);
  const uint64_t before = seen_calls, insns = seen_insns;
  CHECK(case0() == parent);
  CHECK(case1() == parent);
  CHECK(case2() == parent);
  CHECK(seen_calls == before + 3);
  case3();
  CHECK(seen_calls == before + 3);
  CHECK(case4() == parent + 1000);
  CHECK(seen_calls == before + 4);
  CHECK(case5() == 0x1234 + 7);
  CHECK(last_imm == abi::kSiteRdtsc);
  case6();
  CHECK(last_imm == (abi::kSiteRdrand | 9 << 8 | 32 << 16));
  CHECK(seen_insns == insns + 2);
  CHECK(patched == 6);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 3 && strcmp(argv[1], "--list") == 0) return list(argv[2], false), 0;
  libc_is_covered();
  patched_libc_works();
  awkward_cases_work();
  printf(failures == 0 ? "sites: passed\n" : "sites: %d checks failed\n", failures);
  return failures == 0 ? 0 : 1;
}
