// Does the syscall table tell the truth? Every call here is made for real, with all its memory in one arena; what the table's
// outputs carry is then put over the arena as it was before the call, and must give the arena as the kernel left it.
// Also: the golden vectors, the sums, and a reader that meets broken bytes.
//
// Prints `ok` and exits with 0, or says what differs and exits with 1.
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysinfo.h>
#include <sys/times.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <ucontext.h>
#include <unistd.h>

#include "golden.gen.h"
#include "marshal_arena.h"

using namespace marshal_test;

// The sizes that the table gives by number.
static_assert(sizeof(struct stat) == 144 && sizeof(struct statfs) == 120 && sizeof(struct rusage) == 144);
static_assert(sizeof(struct timex) == 208 && sizeof(struct sysinfo) == 112 && sizeof(struct utsname) == 390);
static_assert(sizeof(struct shmid_ds) == 112 && sizeof(struct semid_ds) == 104 && sizeof(struct msqid_ds) == 120);
static_assert(sizeof(struct seminfo) == 40 && sizeof(struct msginfo) == 32 && sizeof(struct shminfo) == 72);
static_assert(sizeof(struct ifreq) == 40 && sizeof(struct tms) == 32 && sizeof(struct flock) == 32 &&
              sizeof(siginfo_t) == 128);
static_assert(sizeof(struct mmsghdr) == 64 && sizeof(struct epoll_event) == 12 && sizeof(struct statx) == 256);

int main() {
  struct sigaction sa = {};
  sa.sa_flags = SA_SIGINFO | SA_NODEFER;
  sa.sa_sigaction = [](int sig, siginfo_t*, void* context) {
    auto& rip = static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP];
    const uint64_t fixed = peek_fixup(static_cast<uint64_t>(rip));
    if (!fixed) {
      signal(sig, SIG_DFL);
      return;
    }
    rip = static_cast<greg_t>(fixed);
  };
  sigaction(SIGSEGV, &sa, nullptr);
  sigaction(SIGBUS, &sa, nullptr);
  arena = static_cast<uint8_t*>(mmap(nullptr, kArena, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  char dir[] = "/tmp/understudy-marshal-XXXXXX";
  if (!mkdtemp(dir)) {
    perror(dir);
    return 1;
  }
  scratch_dir = dir;
  kernel_query = ask_kernel;

  golden_vectors();
  sums();
  questions();
  bad_memory();
  files();
  waiting();
  sockets();
  terminals();
  processes();
  times_and_signals();
  system_v();
  asynchronous_io();
  newer_calls();
  traced_process();
  clones();

  unlink((scratch_dir + "/file").c_str());
  unlink((scratch_dir + "/file2").c_str());
  rmdir(dir);
  if (failures) {
    printf("%d failed\n", failures);
    return 1;
  }
  printf("ok: %u calls, %zu golden vectors\n", calls, sizeof kGolden / sizeof kGolden[0]);
  return 0;
}
