// What every file of the host side uses: errors, descriptors, futexes on shared memory, time, threads.
//
// Invariants:
//  - Words shared with guests are touched only through the helpers here (or __atomic builtins), never as plain loads
//    and stores: the other side is another process.
//  - Futexes are never PRIVATE, for the same reason.
//
// Must not: know anything about sessions, journals or Node.
#pragma once
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace understudy::host {

// An operating error that ends what was asked for. `code` is one of index.ts's codes: LAUNCH, IMAGE, JOURNAL_DIR, ELF.
struct HostError : std::runtime_error {
  HostError(std::string code_, int errno_, std::string path_, const std::string& text)
      : std::runtime_error(text), code(std::move(code_)), error(errno_), path(std::move(path_)) {}
  std::string code;
  int error;
  std::string path;
};

// "ENOSPC"; "E123" for numbers that have no name.
std::string errno_name(int error);
// "No space left on device"
std::string errno_text(int error);
// All of it. False: errno says why, also when a full disk took a part.
bool pwrite_all(int fd, const void* data, size_t len, off_t offset);

class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    if (this != &other) reset(std::exchange(other.fd_, -1));
    return *this;
  }
  ~UniqueFd() { reset(); }
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset(int fd = -1) {
    if (fd_ >= 0) close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

template <class T>
T load_acquire(const T& word) {
  return __atomic_load_n(&word, __ATOMIC_ACQUIRE);
}
template <class T>
void store_release(T& word, T value) {
  __atomic_store_n(&word, value, __ATOMIC_RELEASE);
}

// Waits until *word != value (or a wake, or the timeout). timeout_ms < 0: no limit. Spurious returns are allowed.
void futex_wait(const uint32_t* word, uint32_t value, int timeout_ms);
void futex_wake_all(const uint32_t* word);
// Adds 1 to a futex word and wakes its sleepers.
void futex_bump(uint32_t* word);

uint64_t monotonic_ns();
uint64_t realtime_ns();

// A thread that gets no signals: those of the process belong to Node's main thread.
std::thread start_thread(const char* name, std::function<void()> body);

// CRC-32C (Castagnoli), chained: seed is 0 or the result so far.
uint32_t crc32c(uint32_t seed, const void* data, size_t len);

std::string hex(const uint8_t* bytes, size_t len);

// Writes all of it, or returns an errno.
int write_all(int fd, const void* data, size_t len);
// Reads a whole small file; false (with errno) when that fails.
bool read_file(const std::string& path, std::string* out);
// mkdir -p; 0 or an errno.
int make_dirs(const std::string& path);

}  // namespace understudy::host
