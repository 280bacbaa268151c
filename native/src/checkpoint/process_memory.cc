// See process_memory.h.
#include "process_memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

#include "page_map.h"
#include "understudy/abi.h"

namespace understudy::host::checkpoint {
namespace {

// Of linux/fs.h, Linux 6.7.
struct ScanRegion {
  uint64_t start, end, categories;
};
struct ScanArg {
  uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
constexpr uint64_t kIsFile = 1 << 2, kIsPresent = 1 << 3, kIsSwapped = 1 << 4, kIsZero = 1 << 5;
constexpr unsigned long kPagemapScan = _IOWR('f', 16, ScanArg);
constexpr size_t kScanRegions = 4096;

std::string proc(pid_t pid, const char* name) { return "/proc/" + std::to_string(pid) + "/" + name; }

}  // namespace

ProcessMemory::ProcessMemory(pid_t pid)
    : pid_(pid),
      mem_(open(proc(pid, "mem").c_str(), O_RDONLY | O_CLOEXEC)),
      pagemap_(open(proc(pid, "pagemap").c_str(), O_RDONLY | O_CLOEXEC)) {}

int ProcessMemory::mappings(std::vector<Mapping>* out) const {
  std::string text;
  if (!read_file(proc(pid_, "maps"), &text)) return errno;
  for (size_t at = 0; at < text.size();) {
    size_t line_end = text.find('\n', at);
    if (line_end == std::string::npos) line_end = text.size();
    const std::string line = text.substr(at, line_end - at);
    at = line_end + 1;
    Mapping m;
    unsigned long start, end, offset, ino;
    unsigned major_number, minor_number;
    char prot[5] = {};
    int name = 0;
    if (sscanf(line.c_str(), "%lx-%lx %4s %lx %x:%x %lu %n", &start, &end, prot, &offset, &major_number, &minor_number,
               &ino, &name) < 7)
      return EINVAL;
    m.start = start, m.end = end, m.offset = offset, m.ino = ino;
    m.dev = makedev(major_number, minor_number);
    m.prot = uint32_t((prot[0] == 'r' ? PROT_READ : 0) | (prot[1] == 'w' ? PROT_WRITE : 0) |
                      (prot[2] == 'x' ? PROT_EXEC : 0));
    m.shared = prot[3] == 's';
    if (name > 0 && size_t(name) < line.size()) m.path = line.substr(size_t(name));
    static const std::string kDeleted = " (deleted)";
    if (m.path.size() > kDeleted.size() &&
        m.path.compare(m.path.size() - kDeleted.size(), std::string::npos, kDeleted) == 0) {
      m.path.resize(m.path.size() - kDeleted.size());
      m.deleted = true;
    }
    if (m.start >= abi::kAgentBase && m.start < abi::kAgentEnd) continue;
    if (m.path.rfind("[v", 0) == 0 || m.named("[uprobes]")) continue;  // vdso, vvar, vsyscall
    out->push_back(std::move(m));
  }
  return 0;
}

int ProcessMemory::own_pages(uint64_t start, uint64_t end,
                             const std::function<void(uint64_t address, uint64_t bytes)>& f) const {
  ScanRegion found[kScanRegions];
  ScanArg arg{};
  arg.size = sizeof arg;
  arg.end = end;
  arg.vec = reinterpret_cast<uint64_t>(found);
  arg.vec_len = kScanRegions;
  arg.category_inverted = arg.category_mask = kIsFile | kIsZero;
  arg.category_anyof_mask = kIsPresent | kIsSwapped;
  for (uint64_t at = start; at < end;) {
    arg.start = at;
    const int n = ioctl(pagemap_.get(), kPagemapScan, &arg);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      if (errno == ENOTTY || errno == EINVAL) break;  // an older kernel: below
      return errno;
    }
    for (int i = 0; i < n; i++) f(found[i].start, found[i].end - found[i].start);
    at = arg.walk_end;
    if (at >= end) return 0;
    start = at;
  }
  constexpr uint64_t kPresent = 1ull << 63, kSwapped = 1ull << 62, kFile = 1ull << 61;
  uint64_t entries[4096];
  uint64_t run = 0;
  for (uint64_t at = start; at < end;) {
    const uint64_t want = std::min<uint64_t>((end - at) / kPageBytes, std::size(entries));
    const ssize_t n = pread(pagemap_.get(), entries, want * 8, off_t(at / kPageBytes * 8));
    if (n <= 0) return n < 0 ? errno : EIO;
    for (ssize_t i = 0; i < n / 8; i++, at += kPageBytes) {
      const bool own = (entries[i] & (kPresent | kSwapped)) != 0 && (entries[i] & kFile) == 0;
      if (own) {
        run += kPageBytes;
      } else if (run > 0) {
        f(at - run, run);
        run = 0;
      }
    }
  }
  if (run > 0) f(end - run, run);
  return 0;
}

uint64_t ProcessMemory::read(uint64_t address, void* out, uint64_t bytes) const {
  uint64_t done = 0;
  while (done < bytes) {
    iovec local{static_cast<char*>(out) + done, bytes - done},
        remote{reinterpret_cast<void*>(address + done), bytes - done};
    ssize_t n = process_vm_readv(pid_, &local, 1, &remote, 1, 0);
    // Not readable for the guest itself.
    if (n <= 0) n = pread(mem_.get(), static_cast<char*>(out) + done, bytes - done, off_t(address + done));
    if (n <= 0) break;
    done += uint64_t(n);
  }
  return done;
}

}  // namespace understudy::host::checkpoint
