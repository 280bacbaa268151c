// See common.h.
#include "common.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include <nmmintrin.h>

namespace understudy::host {

std::string errno_name(int error) {
  const char* name = strerrorname_np(error);
  return name != nullptr ? name : "E" + std::to_string(error);
}

std::string errno_text(int error) {
  const char* text = strerrordesc_np(error);
  return text != nullptr ? text : "error " + std::to_string(error);
}

bool pwrite_all(int fd, const void* data, size_t len, off_t offset) {
  for (const char* p = static_cast<const char*>(data); len > 0;) {
    const ssize_t n = pwrite(fd, p, len, offset);
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = ENOSPC;
    if (n <= 0) return false;
    p += n;
    offset += n;
    len -= size_t(n);
  }
  return true;
}

void futex_wait(const uint32_t* word, uint32_t value, int timeout_ms) {
  timespec timeout{timeout_ms / 1000, (timeout_ms % 1000) * 1000000L};
  syscall(SYS_futex, word, FUTEX_WAIT, value, timeout_ms < 0 ? nullptr : &timeout, nullptr, 0);
}

void futex_wake_all(const uint32_t* word) { syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0); }

void futex_bump(uint32_t* word) {
  __atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
  futex_wake_all(word);
}

static uint64_t clock_ns(clockid_t clock) {
  timespec now;
  clock_gettime(clock, &now);
  return uint64_t(now.tv_sec) * 1000000000 + uint64_t(now.tv_nsec);
}
uint64_t monotonic_ns() { return clock_ns(CLOCK_MONOTONIC); }
uint64_t realtime_ns() { return clock_ns(CLOCK_REALTIME); }

std::thread start_thread(const char* name, std::function<void()> body) {
  // The mask is inherited, so it is set here and not in the new thread: there would be a moment without it.
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &old);
  // By itself: for another thread the C library opens a file of /proc without O_CLOEXEC, which a guest that is started meanwhile would have.
  std::thread thread([name = std::string(name), body = std::move(body)] {
    prctl(PR_SET_NAME, name.c_str());
    body();
  });
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  return thread;
}

namespace {
struct Crc32cTable {
  uint32_t entry[256];
  constexpr Crc32cTable() : entry() {
    for (uint32_t i = 0; i < 256; i++) {
      uint32_t c = i;
      for (int k = 0; k < 8; k++) c = (c & 1) != 0 ? (c >> 1) ^ 0x82f63b78u : c >> 1;
      entry[i] = c;
    }
  }
};
constexpr Crc32cTable kCrc32cTable;

__attribute__((target("sse4.2"))) uint32_t crc32c_sse42(uint32_t crc, const uint8_t* p, size_t len) {
  uint64_t c = crc;
  for (; len >= 8; p += 8, len -= 8) {
    uint64_t word;
    memcpy(&word, p, 8);
    c = _mm_crc32_u64(c, word);
  }
  crc = uint32_t(c);
  for (; len > 0; p++, len--) crc = _mm_crc32_u8(crc, *p);
  return crc;
}

uint32_t crc32c_portable(uint32_t crc, const uint8_t* p, size_t len) {
  for (; len > 0; p++, len--) crc = kCrc32cTable.entry[(crc ^ *p) & 0xff] ^ (crc >> 8);
  return crc;
}
}  // namespace

uint32_t crc32c(uint32_t seed, const void* data, size_t len) {
  static const bool has_sse42 = __builtin_cpu_supports("sse4.2");
  const auto* p = static_cast<const uint8_t*>(data);
  return ~(has_sse42 ? crc32c_sse42(~seed, p, len) : crc32c_portable(~seed, p, len));
}

std::string hex(const uint8_t* bytes, size_t len) {
  static const char digits[] = "0123456789abcdef";
  std::string out;
  out.reserve(len * 2);
  for (size_t i = 0; i < len; i++) {
    out += digits[bytes[i] >> 4];
    out += digits[bytes[i] & 15];
  }
  return out;
}

int write_all(int fd, const void* data, size_t len) {
  const char* p = static_cast<const char*>(data);
  while (len > 0) {
    ssize_t n = write(fd, p, len);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno;
    // A regular file never takes 0 bytes of a non-empty write; if one does, looping would never end.
    if (n == 0) return EIO;
    p += n;
    len -= size_t(n);
  }
  return 0;
}

bool read_file(const std::string& path, std::string* out) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return false;
  out->clear();
  char buffer[65536];
  for (;;) {
    ssize_t n = read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    if (n == 0) return true;
    out->append(buffer, size_t(n));
  }
}

int make_dirs(const std::string& path) {
  for (size_t slash = path.find('/', 1); slash != std::string::npos; slash = path.find('/', slash + 1)) {
    if (mkdir(path.substr(0, slash).c_str(), 0777) != 0 && errno != EEXIST) {
      // An existing parent on a read-only or foreign file system may answer EROFS or EACCES before EEXIST.
      struct stat st;
      int error = errno;
      if (stat(path.substr(0, slash).c_str(), &st) != 0 || !S_ISDIR(st.st_mode)) return error;
    }
  }
  if (mkdir(path.c_str(), 0777) == 0 || errno == EEXIST) return 0;
  return errno;
}

}  // namespace understudy::host
