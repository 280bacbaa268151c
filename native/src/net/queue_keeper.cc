// See queue_keeper.h.
#include "net/queue_keeper.h"

#include "net/rules.h"

#include <fcntl.h>
#include <linux/netfilter.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

namespace understudy::host {
namespace {

constexpr int kKeepSeconds = 5;
constexpr int kDismissMs = 1000;
constexpr int kPipe = 3, kIn = 4, kOut = 5, kDoor = 6, kFirstOther = 7;

// Numbers of packets are 32 bits wide and come round; what one of these does not reach the other one does.
void judge_all(int fd, uint16_t queue, uint32_t verdict, uint32_t mark) {
  PacketQueue::send_batch_verdict(fd, queue, 0x7fffffff, verdict, mark);
  PacketQueue::send_batch_verdict(fd, queue, 0xffffffff, verdict, mark);
}

// An abstract name, which belongs to the network namespace, as queues do.
socklen_t door_name(uint16_t queue_in, sockaddr_un* name) {
  *name = {};
  name->sun_family = AF_UNIX;
  const int n = snprintf(name->sun_path + 1, sizeof name->sun_path - 1, "understudy-keeper-%u", unsigned(queue_in));
  return socklen_t(offsetof(sockaddr_un, sun_path) + 1 + size_t(n));
}

[[noreturn]] void keep(int pipe, int in, int out, int door, uint16_t queue_in, uint16_t queue_out) {
  prctl(PR_SET_NAME, "us-keeper");
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  // First out of the way of the numbers that they are to have.
  pipe = fcntl(pipe, F_DUPFD, 64);
  in = fcntl(in, F_DUPFD, 64);
  out = fcntl(out, F_DUPFD, 64);
  door = fcntl(door, F_DUPFD, 64);
  const int null = open("/dev/null", O_RDWR);
  if (pipe < 0 || in < 0 || out < 0 || door < 0 || null < 0) _exit(1);
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
  dup2(pipe, kPipe);
  dup2(in, kIn);
  dup2(out, kOut);
  dup2(door, kDoor);
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
    pollfd fds[3] = {{kIn, POLLIN, 0}, {kOut, POLLIN, 0}, {kDoor, POLLIN, 0}};
    poll(fds, 3, 100);
    if (fds[2].revents != 0) break;
    static char buffer[128 * 1024];
    for (const int fd : {kIn, kOut}) {
      while (recv(fd, buffer, sizeof buffer, MSG_DONTWAIT) > 0) {}
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec - start.tv_sec < kKeepSeconds);
  // Before the door: whoever sees that closed may take the queues. At the end of a process the order would be the kernel's.
  close(kIn);
  close(kOut);
  _exit(0);
}

}  // namespace

QueueKeeper::QueueKeeper(const PacketQueue& in, const PacketQueue& out) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) throw HostError("NET", errno, "", "cannot make a pipe: " + errno_text(errno));
  const UniqueFd end(ends[0]);
  sockaddr_un name;
  const socklen_t len = door_name(in.number(), &name);
  const UniqueFd door(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!door || bind(door.get(), reinterpret_cast<sockaddr*>(&name), len) != 0 || listen(door.get(), 1) != 0)
    throw HostError("NET", errno, "", "cannot make the door of the packet queues' keeper: " + errno_text(errno));
  pipe_ = UniqueFd(ends[1]);
  // Without the C library's handlers: this process has threads that hold its locks.
  pid_ = _Fork();
  if (pid_ == 0) keep(end.get(), in.fd(), out.fd(), door.get(), in.number(), out.number());
  if (pid_ < 0) throw HostError("NET", errno, "", "cannot start the keeper of the packet queues: " + errno_text(errno));
}

QueueKeeper::~QueueKeeper() {
  const char end = 'e';
  if (write(pipe_.get(), &end, 1) != 1) kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {}
}

void QueueKeeper::dismiss(uint16_t queue_in) {
  sockaddr_un name;
  const socklen_t len = door_name(queue_in, &name);
  const UniqueFd knock(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!knock || connect(knock.get(), reinterpret_cast<sockaddr*>(&name), len) != 0) return;  // nobody is there
  // The door is the last thing that closes.
  pollfd fd{knock.get(), 0, 0};
  poll(&fd, 1, kDismissMs);
}

}  // namespace understudy::host
