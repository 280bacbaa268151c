// See page_copier.h.
#include "page_copier.h"

#include <fcntl.h>
#include <string.h>
#include <sys/uio.h>

#include <algorithm>

namespace understudy::host::checkpoint {
namespace {
constexpr size_t kPartsMax = 1024;  // UIO_MAXIOV
// Fits in a core's second cache, which the sink reads it from. And no longer than this is the kernel in one call: it need not let even a
// real-time thread in before the call is over, and with 4 MiB the gate's and the mirror's threads waited for 4 to 7 ms each time.
constexpr uint64_t kBufferPages = 64;
}  // namespace

PageCopier::PageCopier(pid_t pid)
    : pid_(pid),
      memory_(open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY | O_CLOEXEC)),
      buffer_(kBufferPages * kPageBytes) {
  if (!memory_)
    throw HostError("CHECKPOINT_READ", errno, "",
                    "cannot read the memory of process " + std::to_string(pid) + ": " + errno_text(errno));
}

bool PageCopier::read_page(uint64_t address, uint8_t* out) {
  // In this way even what the process itself may not read: pages behind PROT_NONE keep their contents.
  return pread(memory_.get(), out, kPageBytes, off_t(address)) == ssize_t(kPageBytes);
}

void PageCopier::read_parts(const std::vector<Range>& parts, uint8_t* out, const Unreadable& unreadable) {
  std::vector<iovec> remote;
  remote.reserve(parts.size());
  uint64_t pages = 0;
  for (const Range& part : parts) {
    remote.push_back({reinterpret_cast<void*>(part.start), part.end - part.start});
    pages += part.pages();
  }
  size_t first = 0;
  while (pages > 0) {
    iovec local{out, pages * kPageBytes};
    const ssize_t n = process_vm_readv(pid_, &local, 1, &remote[first], remote.size() - first, 0);
    uint64_t done = n > 0 ? uint64_t(n) / kPageBytes : 0;
    // It stops at the first page that it cannot read.
    const bool stuck = done == 0;
    if (stuck) {
      const auto address = reinterpret_cast<uint64_t>(remote[first].iov_base);
      if (!read_page(address, out)) {
        memset(out, 0, kPageBytes);
        unreadable({address, address + kPageBytes});
      }
      done = 1;
    }
    pages -= done;
    out += done * kPageBytes;
    for (uint64_t left = done * kPageBytes; left > 0;) {
      const size_t here = std::min<uint64_t>(left, remote[first].iov_len);
      remote[first].iov_base = static_cast<char*>(remote[first].iov_base) + here;
      remote[first].iov_len -= here;
      left -= here;
      if (remote[first].iov_len == 0) first++;
    }
  }
}

void PageCopier::copy_into(const std::vector<Range>& ranges, uint8_t* out, const Unreadable& unreadable) {
  for (size_t i = 0; i < ranges.size();) {
    const size_t end = std::min(ranges.size(), i + kPartsMax);
    const std::vector<Range> parts(ranges.begin() + long(i), ranges.begin() + long(end));
    read_parts(parts, out, unreadable);
    for (; i < end; i++) out += ranges[i].end - ranges[i].start;
  }
}

void PageCopier::copy(const std::vector<Range>& ranges, const Sink& sink, const Unreadable& unreadable) {
  std::vector<Range> parts, bad;
  uint64_t pages = 0;
  const auto flush = [&] {
    bad.clear();
    read_parts(parts, buffer_.data(), [&](const Range& range) { bad.push_back(range); });
    const uint8_t* data = buffer_.data();
    for (const Range& part : parts) {
      uint64_t at = part.start;
      const auto give = [&](uint64_t end) {
        if (end > at) sink(at, data + (at - part.start), (end - at) / kPageBytes);
      };
      for (const Range& range : bad) {
        if (range.start < part.start || range.start >= part.end) continue;
        give(range.start);
        unreadable(range);
        at = range.end;
      }
      give(part.end);
      data += part.end - part.start;
    }
    parts.clear();
    pages = 0;
  };
  for (Range range : ranges) {
    while (range.start < range.end) {
      const uint64_t here = std::min(range.pages(), kBufferPages - pages);
      parts.push_back({range.start, range.start + here * kPageBytes});
      range.start += here * kPageBytes;
      pages += here;
      if (pages == kBufferPages || parts.size() == kPartsMax) flush();
    }
  }
  if (!parts.empty()) flush();
}

}  // namespace understudy::host::checkpoint
