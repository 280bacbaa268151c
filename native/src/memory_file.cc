// See memory_file.h.
#include "memory_file.h"

#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <algorithm>
#include <vector>

#include "elf_view.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U  // Linux 6.3
#endif

namespace understudy::host {
namespace {

constexpr uint64_t kPage = 4096;
uint64_t page_down(uint64_t x) { return x & ~(kPage - 1); }
uint64_t page_up(uint64_t x) { return page_down(x + kPage - 1); }

uint64_t ring_size_for(uint64_t wanted) {
  uint64_t size = abi::kRingSizeMin;
  while (size < wanted && size < abi::kRingSizeMax) size <<= 1;
  return size;
}

int create_memfd() {
  // From 6.3 on, a system may be set to make memory files non-executable unless they ask; older kernels do not know the
  // flag.
  int fd = memfd_create("understudy", MFD_CLOEXEC | MFD_EXEC);
  if (fd < 0 && errno == EINVAL) fd = memfd_create("understudy", MFD_CLOEXEC);
  return fd;
}

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw HostError("IMAGE", 0, path, path + ": " + why);
}

[[noreturn]] void no_memory(const char* what) {
  int error = errno;
  throw HostError("IMAGE", error, "",
                  std::string("cannot set up the shared memory (") + what + "): " + errno_text(error));
}

}  // namespace

MemoryFile::MemoryFile(abi::Mode mode, const std::string& agent_path, uint64_t ring_bytes)
    : fd_(create_memfd()), ring_size_(ring_size_for(ring_bytes)) {
  if (!fd_) no_memory("memfd_create");
  if (ftruncate(fd_.get(), off_t(abi::kFileRing + ring_size_)) != 0) no_memory("ftruncate");

  uint64_t shared = abi::kControlSize + abi::kRpcSize;
  void* base = mmap(nullptr, shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), off_t(abi::kFileControl));
  if (base == MAP_FAILED) no_memory("mmap");
  base_ = static_cast<uint8_t*>(base);
  control_ = reinterpret_cast<abi::Control*>(base_ + abi::kFileControl);
  rpc_payload_ = base_ + abi::kFileRpc;

  void* twice = mmap(nullptr, ring_size_ * 2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (twice == MAP_FAILED) no_memory("mmap");
  ring_ = static_cast<uint8_t*>(twice);
  for (int i = 0; i < 2; i++) {
    if (mmap(ring_ + uint64_t(i) * ring_size_, ring_size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd_.get(),
             off_t(abi::kFileRing)) == MAP_FAILED) {
      no_memory("mmap");
    }
  }

  void* net = mmap(nullptr, abi::kNetSize, PROT_READ | PROT_WRITE, MAP_SHARED, fd_.get(), off_t(abi::kFileNet));
  if (net == MAP_FAILED) no_memory("mmap");
  net_ = static_cast<uint8_t*>(net);

  // A low soft limit of the guest must not make the descriptor invalid, a high one must not make the kernel grow
  // descriptor tables to a million entries.
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  abi::Control& c = *control_;
  c.magic = abi::kMagic;
  c.abi_version = abi::kAbiVersion;
  c.mode = mode;
  c.guest_fd = int32_t(std::clamp<uint64_t>(files.rlim_cur, 64, 1024)) - 1;
  c.host_pid = getpid();
  c.next_gtid = 1;
  c.ring.size = ring_size_;

  add_map(abi::kControlAddr, abi::kControlSize, abi::kFileControl, PROT_READ | PROT_WRITE, MAP_SHARED);
  add_map(abi::kRpcAddr, abi::kRpcSize, abi::kFileRpc, PROT_READ | PROT_WRITE, MAP_SHARED);
  add_map(abi::kNetAddr, abi::kNetSize, abi::kFileNet, PROT_READ | PROT_WRITE, MAP_SHARED);
  load_agent(agent_path);
  add_map(abi::kRingAddr, ring_size_, abi::kFileRing, PROT_READ | PROT_WRITE, MAP_SHARED);
  add_map(abi::kRingAddr + ring_size_, ring_size_, abi::kFileRing, PROT_READ | PROT_WRITE, MAP_SHARED);
}

MemoryFile::~MemoryFile() {
  if (base_ != nullptr) munmap(base_, abi::kControlSize + abi::kRpcSize);
  if (ring_ != nullptr) munmap(ring_, ring_size_ * 2);
  if (net_ != nullptr) munmap(net_, abi::kNetSize);
}

void MemoryFile::add_map(uint64_t addr, uint64_t len, uint64_t file_offset, uint32_t prot, uint32_t flags) {
  abi::Control& c = *control_;
  if (c.map_count == abi::kMaxMaps) throw HostError("IMAGE", 0, "", "the agent has more segments than the ABI allows");
  c.maps[c.map_count++] = {addr, len, file_offset, prot, flags};
}

void MemoryFile::load_agent(const std::string& path) {
  ElfView elf;
  if (const std::string error = elf.open(path); !error.empty()) refuse(path, "cannot use the agent: " + error);
  if (!elf.is_64() || elf.type() != ET_EXEC || elf.machine() != EM_X86_64)
    refuse(path, "the agent is not a static x86-64 executable");

  // Segments, in the order of the file, each on pages of its own in the memory file.
  uint64_t file_offset = abi::kFileImage, previous_end = abi::kImageAddr;
  struct Loaded {
    uint64_t vaddr, filesz;
    size_t offset;
  };
  std::vector<Loaded> loaded;
  for (const Elf64_Phdr& ph : elf.segments()) {
    if (ph.p_type == PT_INTERP || ph.p_type == PT_DYNAMIC) refuse(path, "the agent is dynamically linked");
    if (ph.p_type != PT_LOAD || ph.p_memsz == 0) continue;
    if (!elf.within(ph.p_offset, ph.p_filesz) || ph.p_filesz > ph.p_memsz)
      refuse(path, "a segment of the agent is damaged");
    uint64_t begin = page_down(ph.p_vaddr), file_end = page_up(ph.p_vaddr + ph.p_filesz);
    uint64_t end = page_up(ph.p_vaddr + ph.p_memsz);
    if (begin < previous_end || end > abi::kThreadsAddr)
      refuse(path, "the agent is not linked at the address of the ABI");
    if (file_offset + (file_end - begin) > abi::kFileNet) refuse(path, "the agent's image is too large");
    previous_end = end;
    uint32_t prot = ((ph.p_flags & PF_R) != 0 ? PROT_READ : 0) | ((ph.p_flags & PF_W) != 0 ? PROT_WRITE : 0) |
                    ((ph.p_flags & PF_X) != 0 ? PROT_EXEC : 0);
    if (ph.p_filesz > 0) {
      off_t at = off_t(file_offset + (ph.p_vaddr - begin));
      for (uint64_t done = 0; done < ph.p_filesz;) {
        ssize_t n = pwrite(fd_.get(), elf.data() + ph.p_offset + done, ph.p_filesz - done, at + off_t(done));
        if (n <= 0) no_memory("pwrite");
        done += uint64_t(n);
      }
      add_map(begin, file_end - begin, file_offset, prot, MAP_PRIVATE);
      file_offset += file_end - begin;
    } else {
      file_end = begin;
    }
    if (end > file_end) add_map(file_end, end - file_end, 0, prot, MAP_PRIVATE | MAP_ANONYMOUS);
    loaded.push_back({ph.p_vaddr, ph.p_filesz, ph.p_offset});
  }

  abi::Entry& entry = control_->entry;
  uint64_t version_addr = 0;
  for (const Elf64_Shdr& sh : elf.sections()) {
    if (sh.sh_type != SHT_SYMTAB || sh.sh_link >= elf.sections().size() || !elf.within(sh.sh_offset, sh.sh_size))
      continue;
    const Elf64_Shdr& str = elf.sections()[sh.sh_link];
    for (uint64_t at = 0; at + sizeof(Elf64_Sym) <= sh.sh_size; at += sizeof(Elf64_Sym)) {
      Elf64_Sym sym;
      if (!elf.read(sh.sh_offset + at, &sym) || sym.st_shndx == SHN_UNDEF) continue;
      const std::string name = elf.string_at(str.sh_offset + sym.st_name);
      if (name == "agent_start") entry.start = sym.st_value;
      else if (name == "agent_syscall_entry") entry.syscall_entry = sym.st_value;
      else if (name == "agent_insn_entry") entry.insn_entry = sym.st_value;
      else if (name == "agent_text_begin") entry.text_begin = sym.st_value;
      else if (name == "agent_text_end") entry.text_end = sym.st_value;
      else if (name == "agent_window_end") entry.window_end[0] = sym.st_value;
      else if (name == "agent_window2_end") entry.window_end[1] = sym.st_value;
      else if (name == "agent_window3_end") entry.window_end[2] = sym.st_value;
      else if (name == "agent_kept_begin") entry.kept_begin = sym.st_value;
      else if (name == "agent_kept_end") entry.kept_end = sym.st_value;
      else if (name == "agent_abi_version") version_addr = sym.st_value;
    }
  }
  if (entry.start == 0 || entry.syscall_entry == 0 || entry.insn_entry == 0 || entry.text_begin == 0 ||
      entry.text_end == 0 || version_addr == 0) {
    refuse(path, "this is not an agent: its entry symbols are missing");
  }
  uint32_t version = 0;
  for (const Loaded& segment : loaded) {
    if (version_addr >= segment.vaddr && version_addr + sizeof version <= segment.vaddr + segment.filesz) {
      memcpy(&version, elf.data() + segment.offset + (version_addr - segment.vaddr), sizeof version);
    }
  }
  if (version != abi::kAbiVersion) {
    refuse(path, "the agent is of ABI version " + std::to_string(version) + ", this host of version " +
                     std::to_string(abi::kAbiVersion) + "; rebuild both");
  }
}

}  // namespace understudy::host
