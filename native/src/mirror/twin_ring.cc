// See twin_ring.h.
#include "twin_ring.h"

#include <string.h>
#include <sys/mman.h>

#include "common.h"

namespace understudy::host {
namespace {
[[noreturn]] void failed(const char* what, uint64_t bytes) {
  const int error = errno;
  throw HostError(
      "MIRROR", error, "",
      "a mirror ring of " + std::to_string(bytes) + " bytes could not be " + what + ": " + errno_text(error));
}
}  // namespace

TwinRing::TwinRing(uint64_t bytes) : bytes_(bytes) {
  UniqueFd file(memfd_create("understudy-mirror", MFD_CLOEXEC));
  if (!file || ftruncate(file.get(), off_t(bytes)) != 0) failed("allocated", bytes);
  void* room = mmap(nullptr, bytes * 2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (room == MAP_FAILED) failed("mapped", bytes);
  base_ = static_cast<uint8_t*>(room);
  for (uint64_t half = 0; half < 2; half++)
    // Populated now: a page fault in the progress thread would look like a slow peer. The second half only maps the same pages.
    if (mmap(base_ + half * bytes, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED | MAP_POPULATE, file.get(),
             0) == MAP_FAILED) {
      munmap(base_, bytes * 2);
      failed("mapped", bytes);
    }
  // Children of fork have no business with it, and copy-on-write must not move pages that a network card writes.
  madvise(base_, bytes * 2, MADV_DONTFORK);
}

TwinRing::~TwinRing() { munmap(base_, bytes_ * 2); }

}  // namespace understudy::host
