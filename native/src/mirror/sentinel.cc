// See sentinel.h.
#include "sentinel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../common.h"

namespace understudy::host {
namespace {

constexpr int kConnection = 3;

// The protocol of robust futexes (Documentation/locking/robust-futex-ABI): the word is the owner's tid, with bits for "somebody waits"
// and, set by the kernel, "the owner has died".
[[noreturn]] void watch(uint32_t* word, int connection) {
  prctl(PR_SET_NAME, "us-sentinel");
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  connection = fcntl(connection, F_DUPFD, 64);
  const int null = open("/dev/null", O_RDWR);
  if (connection < 0 || null < 0) _exit(1);
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
  dup2(connection, kConnection);
  syscall(SYS_close_range, kConnection + 1, ~0u, 0);
  for (;;) {
    uint32_t seen = __atomic_load_n(word, __ATOMIC_SEQ_CST);
    if ((seen & FUTEX_OWNER_DIED) != 0) break;
    if ((seen & FUTEX_TID_MASK) == 0) _exit(0);  // given back: the mirror ends in its own way
    if ((seen & FUTEX_WAITERS) == 0 &&
        !__atomic_compare_exchange_n(word, &seen, seen | FUTEX_WAITERS, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
      continue;
    syscall(SYS_futex, word, FUTEX_WAIT, seen | FUTEX_WAITERS, nullptr, nullptr, 0);
  }
  shutdown(kConnection, SHUT_RDWR);
  _exit(0);
}

}  // namespace

Sentinel::Sentinel(int connection) {
  void* memory = mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw HostError("MIRROR", errno, "", "memory for the sentinel: " + errno_text(errno));
  shared_ = static_cast<Shared*>(memory);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&shared_->alive, &attributes);
  pthread_mutexattr_destroy(&attributes);
  pthread_mutex_lock(&shared_->alive);
  // Without the C library's handlers: this process has threads that hold its locks.
  pid_ = _Fork();
  if (pid_ == 0) watch(reinterpret_cast<uint32_t*>(&shared_->alive.__data.__lock), connection);
  if (pid_ < 0) {
    const int error = errno;
    pthread_mutex_unlock(&shared_->alive);
    munmap(shared_, sizeof(Shared));
    throw HostError("MIRROR", error, "", "cannot start the mirror's sentinel: " + errno_text(error));
  }
}

Sentinel::~Sentinel() {
  pthread_mutex_unlock(&shared_->alive);
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
  munmap(shared_, sizeof(Shared));
}

}  // namespace understudy::host
