// See queue_keeper.h.
#include "net/queue_keeper.h"

#include "net/rules.h"

#include <fcntl.h>
#include <linux/netfilter.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

namespace understudy::host {
namespace {

constexpr int kKeepSeconds = 5;
constexpr int kPipe = 3, kIn = 4, kOut = 5, kFirstOther = 6;

// Numbers of packets are 32 bits wide and come round; what one of these does not reach the other one does.
void judge_all(int fd, uint16_t queue, uint32_t verdict, uint32_t mark) {
  PacketQueue::send_batch_verdict(fd, queue, 0x7fffffff, verdict, mark);
  PacketQueue::send_batch_verdict(fd, queue, 0xffffffff, verdict, mark);
}

[[noreturn]] void keep(int pipe, int in, int out, uint16_t queue_in, uint16_t queue_out) {
  prctl(PR_SET_NAME, "us-keeper");
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  // First out of the way of the numbers that they are to have.
  pipe = fcntl(pipe, F_DUPFD, 64);
  in = fcntl(in, F_DUPFD, 64);
  out = fcntl(out, F_DUPFD, 64);
  const int null = open("/dev/null", O_RDWR);
  if (pipe < 0 || in < 0 || out < 0 || null < 0) _exit(1);
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
  dup2(pipe, kPipe);
  dup2(in, kIn);
  dup2(out, kOut);
  // Above all the mirror's connection: the backup learns of the death by its end.
  syscall(SYS_close_range, kFirstOther, ~0u, 0);
  char byte;
  ssize_t n;
  while ((n = read(kPipe, &byte, 1)) < 0 && errno == EINTR) {}
  if (n != 0) _exit(0);
  timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  do {
    judge_all(kIn, queue_in, NF_REPEAT, kForwardMark);
    judge_all(kOut, queue_out, NF_DROP, 0);
    pollfd fds[2] = {{kIn, POLLIN, 0}, {kOut, POLLIN, 0}};
    poll(fds, 2, 100);
    static char buffer[128 * 1024];
    for (const int fd : {kIn, kOut}) {
      while (recv(fd, buffer, sizeof buffer, MSG_DONTWAIT) > 0) {}
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec - start.tv_sec < kKeepSeconds);
  _exit(0);
}

}  // namespace

QueueKeeper::QueueKeeper(const PacketQueue& in, const PacketQueue& out) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw HostError("NET", errno, "", "cannot make a pipe: " + errno_text(errno));
  const UniqueFd end(ends[0]);
  pipe_ = UniqueFd(ends[1]);
  // Without the C library's handlers: this process has threads that hold its locks.
  pid_ = _Fork();
  if (pid_ == 0) keep(end.get(), in.fd(), out.fd(), in.number(), out.number());
  if (pid_ < 0) throw HostError("NET", errno, "", "cannot start the keeper of the packet queues: " + errno_text(errno));
}

QueueKeeper::~QueueKeeper() {
  const char end = 'e';
  if (write(pipe_.get(), &end, 1) != 1) kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
}

}  // namespace understudy::host
