// Does the syscall table tell the truth? Every call here is made for real, with all its memory in one arena; what the table's
// outputs carry is then put over the arena as it was before the call, and must give the arena as the kernel left it.
// Also: the golden vectors, the sums, and a reader that meets broken bytes.
//
// Prints `ok` and exits with 0, or says what differs and exits with 1.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <linux/keyctl.h>
#include <linux/prctl.h>
#include <mqueue.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/timex.h>
#include <sys/times.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <termios.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "golden.gen.h"
#include "marshal.h"
#include "wire.h"

using namespace understudy;

// The sizes that the table gives by number.
static_assert(sizeof(struct stat) == 144 && sizeof(struct statfs) == 120 && sizeof(struct rusage) == 144);
static_assert(sizeof(struct timex) == 208 && sizeof(struct sysinfo) == 112 && sizeof(struct utsname) == 390);
static_assert(sizeof(struct shmid_ds) == 112 && sizeof(struct semid_ds) == 104 && sizeof(struct msqid_ds) == 120);
static_assert(sizeof(struct seminfo) == 40 && sizeof(struct msginfo) == 32 && sizeof(struct shminfo) == 72);
static_assert(sizeof(struct ifreq) == 40 && sizeof(struct tms) == 32 && sizeof(struct flock) == 32 &&
              sizeof(siginfo_t) == 128);
static_assert(sizeof(struct mmsghdr) == 64 && sizeof(struct epoll_event) == 12 && sizeof(struct statx) == 256);

namespace {

int failures = 0;
unsigned calls = 0;

__attribute__((format(printf, 1, 2))) void fail(const char* format, ...) {
  va_list args;
  va_start(args, format);
  vprintf(format, args);
  va_end(args);
  putchar('\n');
  ++failures;
}

// ---- The arena ---------------------------------------------------------------------------------------------------------
constexpr size_t kArena = 256 << 10;
uint8_t* arena;
size_t used;

void reset() {
  used = 0;
  for (size_t i = 0; i < kArena; ++i) arena[i] = static_cast<uint8_t>(i * 7 + (i >> 8) + 3);
}
template <class T = uint8_t>
T* take(size_t n = 1) {
  used = (used + 15) & ~size_t{15};
  T* p = reinterpret_cast<T*>(arena + used);
  used += n * sizeof(T) + 64;  // a gap, in which a write beyond the end is seen
  if (used > kArena) abort();
  return p;
}
template <class T>
T* put(const T& v) {
  T* p = take<T>();
  memcpy(p, &v, sizeof v);
  return p;
}

struct Element {
  bool nil;
  std::vector<uint8_t> bytes;
};
struct Recorder {
  std::vector<Element> elements;
  size_t next = 0;
  const char* name = "";
};

int64_t raw(const Call& c) {
  const long r = syscall(c.nr, c.args[0], c.args[1], c.args[2], c.args[3], c.args[4], c.args[5]);
  return r == -1 ? -errno : r;
}
int64_t ask_kernel(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d) {
  const long r = syscall(static_cast<long>(nr), a, b, c, d);
  return r == -1 ? -errno : r;
}

// As the core does it in record.
std::vector<Element> record(const Call& c, const CallScratch& s, int64_t ret) {
  Recorder r;
  visit_outputs(c, s, ret,
                {[](void* self, void* addr, uint64_t len) {
                   const uint8_t* p = static_cast<uint8_t*>(addr);
                   static_cast<Recorder*>(self)->elements.push_back(
                       {addr == nullptr, addr ? std::vector<uint8_t>(p, p + len) : std::vector<uint8_t>()});
                 },
                 &r});
  return r.elements;
}

// As the core does it in replay.
void replay(const char* name, const Call& c, int64_t ret, std::vector<Element> elements) {
  Recorder r{std::move(elements), 0, name};
  CallScratch s{};
  const auto query = kernel_query;
  kernel_query = nullptr;
  before_call(c, s);
  visit_outputs(c, s, ret,
                {[](void* self, void* addr, uint64_t len) {
                   Recorder& r = *static_cast<Recorder*>(self);
                   if (r.next >= r.elements.size()) return fail("%s: replay visits more outputs than record", r.name);
                   const Element& e = r.elements[r.next++];
                   if (e.nil != (addr == nullptr))
                     return fail("%s: output %zu is nil on one side only", r.name, r.next);
                   if (!e.nil && e.bytes.size() != len)
                     return fail("%s: output %zu has %zu bytes in record, %zu in replay", r.name, r.next,
                                 e.bytes.size(), static_cast<size_t>(len));
                   if (!e.nil) fill_memory(addr, e.bytes.data(), len);
                 },
                 &r});
  kernel_query = query;
  if (r.next != r.elements.size()) fail("%s: replay visits %zu of %zu outputs", name, r.next, r.elements.size());
}

constexpr int64_t kAny = INT64_MIN, kOk = INT64_MIN + 1;

template <class... A>
int64_t check(const char* name, int64_t expected, uint32_t nr, A... args) {
  Call c{nr, {}};
  const uint64_t list[] = {(uint64_t)(args)..., 0};
  for (size_t i = 0; i < sizeof...(args); ++i) c.args[i] = list[i];
  if (sizeof...(args) != describe(nr).nargs) fail("%s: the table has %d arguments", name, describe(nr).nargs);
  ++calls;
  const std::vector<uint8_t> before(arena, arena + kArena);
  CallScratch s{};
  before_call(c, s);
  const int64_t ret = raw(c);
  if (expected == kOk ? ret < 0 : expected != kAny && ret != expected) {
    fail("%s: gave %lld (%s)", name, static_cast<long long>(ret), ret < 0 ? strerror(static_cast<int>(-ret)) : "");
    return ret;
  }
  if (expected == kAny && ret < 0 && getenv("VERBOSE"))
    printf("%s: not here (%s)\n", name, strerror(static_cast<int>(-ret)));
  const std::vector<Element> elements = record(c, s, ret);
  if (output_count(c, s, ret) != elements.size())
    fail("%s: %u outputs counted, %zu visited", name, output_count(c, s, ret), elements.size());
  const std::vector<uint8_t> after(arena, arena + kArena);
  memcpy(arena, before.data(), kArena);
  replay(name, c, ret, elements);
  for (size_t i = 0; i < kArena; ++i) {
    if (arena[i] == after[i]) continue;
    fail("%s (%s): byte %zu of the arena is not as the kernel left it", name, describe(nr).name, i);
    break;
  }
  memcpy(arena, after.data(), kArena);
  return ret;
}

// ---- Calls -------------------------------------------------------------------------------------------------------------
std::string scratch_dir;

void files() {
  reset();
  const std::string path = scratch_dir + "/file";
  char* name = take<char>(256);
  strcpy(name, path.c_str());
  const int fd = static_cast<int>(check("openat", kOk, SYS_openat, AT_FDCWD, name, O_CREAT | O_RDWR | O_TRUNC, 0600));
  char* text = take<char>(4096);
  memset(text, 'x', 4096);
  check("write", 4096, SYS_write, fd, text, 4096);
  uint8_t* buf = take(8192);
  check("pread64", 96, SYS_pread64, fd, buf, 8192, 4000);
  check("pread64 at the end", 0, SYS_pread64, fd, buf, 8192, 4096);
  check("read of a bad descriptor", -EBADF, SYS_read, -1, buf, 8192);
  struct iovec* iov = take<struct iovec>(4);
  iov[0] = {take(10), 10};
  iov[1] = {nullptr, 0};
  iov[2] = {take(100), 100};
  iov[3] = {take(100), 100};
  check("preadv", 60, SYS_preadv, fd, iov, 4, 4036, 0);
  check("preadv2", 210, SYS_preadv2, fd, iov, 4, 0, 0, 0);
  check("pwritev", 210, SYS_pwritev, fd, iov, 4, 0, 0);
  check("fstat", 0, SYS_fstat, fd, take(512));
  check("stat", 0, SYS_stat, name, take(512));
  check("lstat", 0, SYS_lstat, name, take(512));
  check("newfstatat", 0, SYS_newfstatat, AT_FDCWD, name, take(512), 0);
  check("stat of nothing", -ENOENT, SYS_stat, "/nowhere", take(512));
  check("statx", 0, SYS_statx, AT_FDCWD, name, 0, STATX_ALL, take(512));
  check("statfs", 0, SYS_statfs, name, take(512));
  check("fstatfs", 0, SYS_fstatfs, fd, take(512));
  struct stat st;
  fstat(fd, &st);
  check("ustat", kAny, SYS_ustat, st.st_dev, take(256));
  check("sysfs", kAny, SYS_sysfs, 2, 0, take(256));
  check("getcwd", kOk, SYS_getcwd, take(4096), 4096);
  check("getcwd too small", -ERANGE, SYS_getcwd, take(16), 1);
  check("readlink", kOk, SYS_readlink, "/proc/self/exe", take(4096), 4096);
  check("readlinkat short", 5, SYS_readlinkat, AT_FDCWD, "/proc/self/exe", take(64), 5);
  const int dir = open("/proc", O_RDONLY | O_DIRECTORY);
  check("getdents64", kOk, SYS_getdents64, dir, take(2048), 2048);
  check("getdents", kOk, SYS_getdents, dir, take(2048), 2048);
  close(dir);
  if (check("fsetxattr", kAny, SYS_fsetxattr, fd, "user.test", "value", 5, 0) == 0) {
    check("fgetxattr", 5, SYS_fgetxattr, fd, "user.test", take(64), 64);
    check("getxattr, size only", 5, SYS_getxattr, name, "user.test", take(64), 0);
    check("getxattr too small", -ERANGE, SYS_getxattr, name, "user.test", take(64), 2);
    check("listxattr", kOk, SYS_listxattr, name, take(64), 64);
    check("flistxattr, size only", kOk, SYS_flistxattr, fd, nullptr, 0);
  }
  struct file_handle* handle = reinterpret_cast<struct file_handle*>(take(256));
  handle->handle_bytes = 128;
  check("name_to_handle_at", kAny, SYS_name_to_handle_at, AT_FDCWD, name, handle, take<int>(), 0);
  handle->handle_bytes = 0;
  check("name_to_handle_at too small", kAny, SYS_name_to_handle_at, AT_FDCWD, name, handle, take<int>(), 0);
  const int to = open((path + "2").c_str(), O_CREAT | O_RDWR | O_TRUNC, 0600);
  check("copy_file_range", kOk, SYS_copy_file_range, fd, put<uint64_t>(10), to, put<uint64_t>(0), 100, 0);
  check("copy_file_range without offsets", kOk, SYS_copy_file_range, fd, nullptr, to, nullptr, 100, 0);
  check("sendfile", 50, SYS_sendfile, to, fd, put<uint64_t>(7), 50);
  int pipes[2];
  if (pipe(pipes)) abort();
  check("splice", kOk, SYS_splice, fd, put<uint64_t>(3), pipes[1], nullptr, 64, 0);
  iov[0].iov_len = 64;
  iov[0].iov_base = take(64);
  check("vmsplice from a pipe", 64, SYS_vmsplice, pipes[0], iov, 1, 0);
  check("FIONREAD", 0, SYS_ioctl, pipes[0], FIONREAD, take<int>());
  check("FS_IOC_GETFLAGS", kAny, SYS_ioctl, fd, FS_IOC_GETFLAGS, take(64));
  check("FS_IOC_FSGETXATTR", kAny, SYS_ioctl, fd, FS_IOC_FSGETXATTR, take(64));
  check("FIGETBSZ", kAny, SYS_ioctl, fd, FIGETBSZ, take(64));
  struct fiemap* map = reinterpret_cast<struct fiemap*>(take(sizeof(struct fiemap) + 8 * sizeof(struct fiemap_extent)));
  memset(map, 0, sizeof *map);
  map->fm_length = ~0ull;
  map->fm_extent_count = 8;
  check("FS_IOC_FIEMAP", kAny, SYS_ioctl, fd, FS_IOC_FIEMAP, map);
  check("F_GETLK", 0, SYS_fcntl, fd, F_GETLK, [] {
    struct flock l = {};
    l.l_type = F_WRLCK;
    return put(l);
  }());
  check("F_GETOWN_EX", 0, SYS_fcntl, pipes[0], F_GETOWN_EX, take(64));
  check("F_GETPIPE_SZ", kOk, SYS_fcntl, pipes[0], F_GETPIPE_SZ, 0);
  check("F_GET_RW_HINT", kAny, SYS_fcntl, fd, 1035, take(64));
  check("cachestat", kAny, 451, fd, take(16), take(64), 0);
  void* page = mmap(nullptr, 5 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  check("mincore", 0, SYS_mincore, page, 4 * 4096 + 1, take(64));
  munmap(page, 5 * 4096);
  close(pipes[0]);
  close(pipes[1]);
  close(to);
  close(fd);
  check("pipe", 0, SYS_pipe, take<int>(2));
  check("pipe2", 0, SYS_pipe2, take<int>(2), O_CLOEXEC);
}

void waiting() {
  reset();
  int pipes[2];
  if (pipe(pipes)) abort();
  struct pollfd* fds = take<struct pollfd>(3);
  fds[0] = {pipes[0], POLLIN, 77};
  fds[1] = {pipes[1], POLLOUT, 77};
  fds[2] = {-1, POLLIN, 77};
  check("poll", 1, SYS_poll, fds, 3, 0);
  check("poll that times out", 0, SYS_poll, fds, 1, 1);
  check("ppoll", 0, SYS_ppoll, fds, 1, put(timespec{0, 1000000}), nullptr, 8);
  check("ppoll with an invalid timeout", -EINVAL, SYS_ppoll, fds, 1, put(timespec{0, 2000000000}), nullptr, 8);
  fd_set* r = take<fd_set>();
  fd_set* w = take<fd_set>();
  FD_ZERO(r);
  FD_ZERO(w);
  FD_SET(pipes[0], r);
  FD_SET(pipes[1], w);
  check("select", 1, SYS_select, pipes[1] + 1, r, w, nullptr, put(timeval{1, 500}));
  FD_SET(pipes[0], r);
  check("select that times out", 0, SYS_select, pipes[0] + 1, r, nullptr, nullptr, put(timeval{0, 1000}));
  FD_SET(pipes[0], r);
  check("pselect6", 0, SYS_pselect6, pipes[0] + 1, r, nullptr, nullptr, put(timespec{0, 1000}), nullptr);
  check("select of a bad descriptor", -EBADF, SYS_select, 64, memset(take<fd_set>(), 0xff, 128), nullptr, nullptr,
        put(timeval{0, 1000}));
  static const timeval in_rodata = {0, 1000};
  check("select with its timeout in read-only memory", 0, SYS_select, 0, nullptr, nullptr, nullptr, &in_rodata);
  const int ep = epoll_create1(0);
  struct epoll_event ev = {EPOLLOUT, {.u64 = 0x1122334455667788}};
  epoll_ctl(ep, EPOLL_CTL_ADD, pipes[1], &ev);
  check("epoll_wait", 1, SYS_epoll_wait, ep, take(256), 10, 0);
  check("epoll_pwait", 1, SYS_epoll_pwait, ep, take(256), 10, 0, nullptr, 8);
  check("epoll_pwait2", 1, SYS_epoll_pwait2, ep, take(256), 10, nullptr, nullptr, 8);
  close(ep);
  close(pipes[0]);
  close(pipes[1]);

  check("nanosleep", 0, SYS_nanosleep, put(timespec{0, 1000}), take(16));
  struct sigaction sa = {};
  sa.sa_handler = [](int) {};
  sigaction(SIGALRM, &sa, nullptr);
  const auto soon = [] {
    const itimerval t = {{0, 0}, {0, 20000}};
    setitimer(ITIMER_REAL, &t, nullptr);
  };
  soon();
  check("nanosleep, interrupted", -EINTR, SYS_nanosleep, put(timespec{5, 0}), take(16));
  soon();
  check("clock_nanosleep, interrupted", -EINTR, SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, put(timespec{5, 0}), take(16));
  soon();
  timespec until;
  clock_gettime(CLOCK_MONOTONIC, &until);
  until.tv_sec += 5;
  check("clock_nanosleep to a time, interrupted", -EINTR, SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME,
        put(until), 1);
  soon();
  check("poll, interrupted", -EINTR, SYS_poll, fds + 2, 1, 5000);
  soon();
  check("select, interrupted", -EINTR, SYS_select, 0, nullptr, nullptr, nullptr, put(timeval{5, 0}));
  signal(SIGALRM, SIG_DFL);

  uint32_t* word = take<uint32_t>();
  *word = 5;
  check("FUTEX_WAIT, no longer", -EAGAIN, SYS_futex, word, FUTEX_WAIT_PRIVATE, 4, nullptr, nullptr, 0);
  check("FUTEX_WAKE_OP", 0, SYS_futex, take<uint32_t>(), FUTEX_WAKE_OP, 1, nullptr, word,
        FUTEX_OP(FUTEX_OP_ADD, 3, FUTEX_OP_CMP_EQ, 5));
  if (*word != 8) fail("FUTEX_WAKE_OP: its second word is %u", *word);
  *word = 0;
  check("FUTEX_LOCK_PI", 0, SYS_futex, word, FUTEX_LOCK_PI_PRIVATE, 0, nullptr, nullptr, 0);
  check("FUTEX_LOCK_PI, deadlock", -EDEADLK, SYS_futex, word, FUTEX_LOCK_PI_PRIVATE, 0, nullptr, nullptr, 0);
  check("FUTEX_UNLOCK_PI", 0, SYS_futex, word, FUTEX_UNLOCK_PI_PRIVATE, 0, nullptr, nullptr, 0);
}

void sockets() {
  reset();
  int* pair = take<int>(2);
  check("socketpair", 0, SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, pair);
  check("sendto", 5, SYS_sendto, pair[0], "hello", 5, 0, nullptr, 0);
  check("recvfrom", 5, SYS_recvfrom, pair[1], take(64), 64, 0, nullptr, nullptr);
  check("sendto", 5, SYS_sendto, pair[0], "hello", 5, 0, nullptr, 0);
  check("recvfrom with an address", 5, SYS_recvfrom, pair[1], take(64), 64, 0, take(64), put<uint32_t>(64));
  check("recvfrom, nothing", -EAGAIN, SYS_recvfrom, pair[1], take(64), 64, MSG_DONTWAIT, take(64), put<uint32_t>(64));
  check("getsockname", 0, SYS_getsockname, pair[0], take(128), put<uint32_t>(128));
  check("getpeername", 0, SYS_getpeername, pair[0], take(128), put<uint32_t>(128));
  check("SO_PEERCRED", 0, SYS_getsockopt, pair[0], SOL_SOCKET, SO_PEERCRED, take(64), put<uint32_t>(64));
  check("SO_ERROR", 0, SYS_getsockopt, pair[0], SOL_SOCKET, SO_ERROR, take(64), put<uint32_t>(4));
  check("SO_PEERGROUPS too small", kAny, SYS_getsockopt, pair[0], SOL_SOCKET, 59, take(64), put<uint32_t>(0));

  // A message with a name, a descriptor and two buffers.
  const int server = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in addr = {};
  addr.sin_family = AF_INET;
  addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (bind(server, reinterpret_cast<sockaddr*>(&addr), sizeof addr)) abort();
  socklen_t len = sizeof addr;
  getsockname(server, reinterpret_cast<sockaddr*>(&addr), &len);
  const int on = 1;
  setsockopt(server, SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on);
  const auto message = [](size_t name, size_t control) {
    struct iovec* iov = take<struct iovec>(2);
    iov[0] = {take(4), 4};
    iov[1] = {take(100), 100};
    struct msghdr m = {};
    m.msg_name = name ? take(name) : nullptr;
    m.msg_namelen = static_cast<socklen_t>(name);
    m.msg_iov = iov;
    m.msg_iovlen = 2;
    m.msg_control = control ? take(control) : nullptr;
    m.msg_controllen = control;
    return m;
  };
  const auto send = [&](const char* text) {
    if (sendto(server, text, strlen(text), 0, reinterpret_cast<sockaddr*>(&addr), sizeof addr) < 0) abort();
  };
  send("a datagram");
  check("recvmsg", 10, SYS_recvmsg, server, put(message(64, 128)), 0);
  send("a datagram");
  check("recvmsg, all cut off", 10, SYS_recvmsg, server, put(message(3, 20)), 0);
  send("ab");
  check("recvmsg without name and control", 2, SYS_recvmsg, server, put(message(0, 0)), 0);
  send("a datagram that is too long");
  check("recvfrom, MSG_TRUNC", 27, SYS_recvfrom, server, take(64), 8, MSG_TRUNC, take(64), put<uint32_t>(4));
  send("one");
  send("second");
  send("");
  struct mmsghdr* batch = take<struct mmsghdr>(4);
  for (int i = 0; i < 4; ++i) batch[i] = {message(64, 64), 99};
  check("recvmmsg", 3, SYS_recvmmsg, server, batch, 4, MSG_DONTWAIT, put(timespec{1, 0}));
  struct mmsghdr* out = take<struct mmsghdr>(2);
  for (int i = 0; i < 2; ++i) {
    out[i] = {message(0, 0), 99};
    memcpy(out[i].msg_hdr.msg_name = take(16), &addr, sizeof addr);
    out[i].msg_hdr.msg_namelen = sizeof addr;
  }
  check("sendmmsg", 2, SYS_sendmmsg, server, out, 2, 0);
  const Call sent{SYS_sendmmsg, {static_cast<uint64_t>(server), reinterpret_cast<uint64_t>(out), 2, 0, 0, 0}};
  struct Sum {
    uint64_t bytes = 0;
    uint32_t crc = 0;
  } sum;
  visit_data(sent, 2,
             {[](void* self, void* p, uint64_t n) {
                Sum& s = *static_cast<Sum*>(self);
                s.bytes += n;
                s.crc = crc32c(s.crc, p, n);
              },
              &sum});
  if (sum.bytes != 208 || data_sum(sent, 2) != sum.crc)
    fail("sendmmsg: %llu bytes of data", static_cast<unsigned long long>(sum.bytes));

  struct msghdr passing = message(0, CMSG_SPACE(sizeof(int)));
  struct cmsghdr* c = CMSG_FIRSTHDR(&passing);
  c->cmsg_level = SOL_SOCKET;
  c->cmsg_type = SCM_RIGHTS;
  c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), pair, sizeof(int));
  if (sendmsg(pair[0], &passing, 0) < 0) abort();
  check("recvmsg with a descriptor", 104, SYS_recvmsg, pair[1], put(message(64, 256)), 0);

  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (listen(listener, 5)) abort();
  struct sockaddr_in where;
  len = sizeof where;
  getsockname(listener, reinterpret_cast<sockaddr*>(&where), &len);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int i = 0; i < 3; ++i) {
    const int client = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(client, reinterpret_cast<sockaddr*>(&where), sizeof where)) abort();
  }
  check("accept", kOk, SYS_accept, listener, take(64), put<uint32_t>(64));
  const int peer = static_cast<int>(
      check("accept4, address cut off", kOk, SYS_accept4, listener, take(64), put<uint32_t>(7), 0));
  check("accept without an address", kOk, SYS_accept, listener, nullptr, nullptr);
  check("TCP_INFO", 0, SYS_getsockopt, peer, IPPROTO_TCP, 11, take(512), put<uint32_t>(512));
  check("TCP_CONGESTION", 0, SYS_getsockopt, peer, IPPROTO_TCP, 13, take(64), put<uint32_t>(16));
  check("accept with bad pointers", -EBADF, SYS_accept, -1, 8, 16);
  check("getsockname with a bad length", -EFAULT, SYS_getsockname, listener, take(64), 16);

  struct ifconf conf = {};
  conf.ifc_len = 400;
  conf.ifc_buf = take<char>(400);
  check("SIOCGIFCONF", 0, SYS_ioctl, server, SIOCGIFCONF, put(conf));
  conf.ifc_buf = nullptr;
  check("SIOCGIFCONF, size only", 0, SYS_ioctl, server, SIOCGIFCONF, put(conf));
  struct ifreq req = {};
  strcpy(req.ifr_name, "lo");
  check("SIOCGIFFLAGS", 0, SYS_ioctl, server, SIOCGIFFLAGS, put(req));
  check("SIOCGIFHWADDR", 0, SYS_ioctl, server, SIOCGIFHWADDR, put(req));
  check("SIOCGIFINDEX", 0, SYS_ioctl, server, SIOCGIFINDEX, put(req));
  check("SIOCGIFMTU", 0, SYS_ioctl, server, SIOCGIFMTU, put(req));
  check("SIOCOUTQ", 0, SYS_ioctl, peer, TIOCOUTQ, take<int>());
  check("SIOCATMARK", 0, SYS_ioctl, peer, 0x8905, take<int>());
  check("SIOCGSTAMP", kAny, SYS_ioctl, server, 0x8906, take(32));
}

void terminals() {
  reset();
  const int master = open("/dev/ptmx", O_RDWR | O_NOCTTY);
  if (master < 0) return;
  check("TIOCSPTLCK", 0, SYS_ioctl, master, TIOCSPTLCK, put(0));
  check("TIOCGPTN", 0, SYS_ioctl, master, TIOCGPTN, take<int>());
  const int slave = static_cast<int>(check("TIOCGPTPEER", kOk, SYS_ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
  check("TCGETS", 0, SYS_ioctl, slave, TCGETS, take(64));
  check("TCGETA", 0, SYS_ioctl, slave, TCGETA, take(64));
  check("TCGETS2", 0, SYS_ioctl, slave, 0x802c542a, take(64));
  check("TIOCGWINSZ", 0, SYS_ioctl, slave, TIOCGWINSZ, take(64));
  check("TIOCSWINSZ", 0, SYS_ioctl, slave, TIOCSWINSZ, put<uint64_t>(0x500018));
  check("TIOCGETD", 0, SYS_ioctl, slave, TIOCGETD, take<int>());
  check("TIOCOUTQ", 0, SYS_ioctl, slave, TIOCOUTQ, take<int>());
  check("TIOCGPKT", 0, SYS_ioctl, master, 0x80045438, take<int>());
  check("TIOCGPTLCK", 0, SYS_ioctl, master, 0x80045439, take<int>());
  check("TIOCGEXCL", 0, SYS_ioctl, slave, 0x80045440, take<int>());
  check("TIOCGDEV", 0, SYS_ioctl, slave, 0x80045432, take<int>());
  check("TIOCGLCKTRMIOS", 0, SYS_ioctl, slave, 0x5456, take(64));
  check("TIOCGPGRP of another's terminal", kAny, SYS_ioctl, slave, TIOCGPGRP, take<int>());
  check("TIOCGSID of another's terminal", kAny, SYS_ioctl, slave, TIOCGSID, take<int>());
  close(slave);
  close(master);
}

void processes() {
  reset();
  if (fork() == 0) _exit(3);
  siginfo_t* info = take<siginfo_t>();
  check("waitid", 0, SYS_waitid, P_ALL, 0, info, WEXITED | WNOWAIT, take<rusage>());
  check("wait4", kOk, SYS_wait4, -1, take<int>(), 0, take<rusage>());
  check("wait4 without children", -ECHILD, SYS_wait4, -1, take<int>(), 0, take<rusage>());
  check("waitid without children", -ECHILD, SYS_waitid, P_ALL, 0, take<siginfo_t>(), WEXITED, take<rusage>());
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  check("wait4, nothing yet", 0, SYS_wait4, -1, take<int>(), WNOHANG, take<rusage>());
  check("waitid, nothing yet", 0, SYS_waitid, P_ALL, 0, take<siginfo_t>(), WEXITED | WNOHANG, take<rusage>());
  check("process_vm_readv", 20, SYS_process_vm_readv, child, put(iovec{take(20), 20}), 1, put(iovec{arena, 20}), 1, 0);
  kill(child, SIGKILL);
  check("wait4 of the killed", child, SYS_wait4, child, take<int>(), 0, nullptr);

  check("getrusage", 0, SYS_getrusage, RUSAGE_SELF, take<rusage>());
  check("getrlimit", 0, SYS_getrlimit, RLIMIT_NOFILE, take<rlimit>());
  check("prlimit64", 0, SYS_prlimit64, 0, RLIMIT_STACK, nullptr, take<rlimit>());
  check("times", kOk, SYS_times, take<tms>());
  check("uname", 0, SYS_uname, take<utsname>());
  check("sysinfo", 0, SYS_sysinfo, take<struct sysinfo>());
  check("getgroups, number only", kOk, SYS_getgroups, 0, nullptr);
  check("getgroups", kOk, SYS_getgroups, 100, take<int>(100));
  check("getresuid", 0, SYS_getresuid, take<int>(), take<int>(), take<int>());
  check("getresgid", 0, SYS_getresgid, take<int>(), take<int>(), take<int>());
  struct __user_cap_header_struct cap = {0x20080522, 0};
  check("capget", 0, SYS_capget, put(cap), take(64));
  cap.version = 0x19980330;
  check("capget, first version", 0, SYS_capget, put(cap), take(64));
  cap.version = 1;
  check("capget, unknown version", -EINVAL, SYS_capget, put(cap), take(64));
  check("capget, asking for the version", 0, SYS_capget, put(cap), nullptr);
  check("sched_getaffinity", kOk, SYS_sched_getaffinity, 0, 1024, take(1024));
  check("sched_getparam", 0, SYS_sched_getparam, 0, take<int>());
  check("sched_rr_get_interval", 0, SYS_sched_rr_get_interval, 0, take<timespec>());
  check("sched_getattr", 0, SYS_sched_getattr, 0, take(128), 56, 0);
  uint32_t* attr = take<uint32_t>(64);
  attr[0] = 256;
  check("sched_setattr, too big", kAny, SYS_sched_setattr, 0, attr, 0);
  check("getcpu", 0, SYS_getcpu, take<int>(), take<int>(), nullptr);
  check("get_robust_list", 0, SYS_get_robust_list, 0, take<uint64_t>(), take<uint64_t>());
  check("get_mempolicy", kAny, SYS_get_mempolicy, take<int>(), take(256), 1024, nullptr, 0);
  check("get_mempolicy, an odd number of nodes", kAny, SYS_get_mempolicy, take<int>(), take(256), 1025, nullptr, 4);
  void* pages[] = {arena, arena + 8192};
  check("move_pages", kAny, SYS_move_pages, 0, 2, memcpy(take<void*>(2), pages, sizeof pages), nullptr, take<int>(2),
        0);
  check("getrandom", 33, SYS_getrandom, take(64), 33, 0);

  check("PR_GET_NAME", 0, SYS_prctl, PR_GET_NAME, take(64), 0, 0, 0);
  check("PR_GET_PDEATHSIG", 0, SYS_prctl, PR_GET_PDEATHSIG, take<int>(), 0, 0, 0);
  check("PR_GET_CHILD_SUBREAPER", 0, SYS_prctl, PR_GET_CHILD_SUBREAPER, take<int>(), 0, 0, 0);
  check("PR_GET_TSC", 0, SYS_prctl, PR_GET_TSC, take<int>(), 0, 0, 0);
  check("PR_GET_TID_ADDRESS", kAny, SYS_prctl, 40, take<uint64_t>(), 0, 0, 0);
  check("PR_GET_AUXV", kAny, SYS_prctl, 0x41555856, take(1024), 1024, 0, 0);
  check("PR_GET_AUXV, short", kAny, SYS_prctl, 0x41555856, take(32), 32, 0, 0);
  check("PR_GET_DUMPABLE", kOk, SYS_prctl, PR_GET_DUMPABLE, 0, 0, 0, 0);
  check("ARCH_GET_FS", 0, SYS_arch_prctl, 0x1003, take<uint64_t>());
  check("ARCH_GET_XCOMP_SUPP", kAny, SYS_arch_prctl, 0x1021, take<uint64_t>());
  check("keyctl DESCRIBE", kAny, SYS_keyctl, 6, -3, take(256), 256, 0);
  check("keyctl CAPABILITIES", kAny, SYS_keyctl, 31, take(64), 64, 0, 0);
  check("SECCOMP_GET_NOTIF_SIZES", kAny, SYS_seccomp, 3, 0, take(64));
  check("lsm_list_modules", kAny, 461, take(256), put<uint32_t>(256), 0);
  check("lsm_list_modules, too small", kAny, 461, take(256), put<uint32_t>(1), 0);
}

void times_and_signals() {
  reset();
  check("gettimeofday", 0, SYS_gettimeofday, take<timeval>(), take(16));
  check("time", kOk, SYS_time, take<uint64_t>());
  check("clock_gettime", 0, SYS_clock_gettime, CLOCK_REALTIME, take<timespec>());
  check("clock_getres", 0, SYS_clock_getres, CLOCK_REALTIME, take<timespec>());
  check("clock_gettime of no clock", -EINVAL, SYS_clock_gettime, 77, take<timespec>());
  check("getitimer", 0, SYS_getitimer, ITIMER_REAL, take<itimerval>());
  check("setitimer", 0, SYS_setitimer, ITIMER_REAL, put(itimerval{}), take<itimerval>());
  check("adjtimex", kOk, SYS_adjtimex, put(timex{}));
  check("clock_adjtime", kOk, SYS_clock_adjtime, CLOCK_REALTIME, put(timex{}));
  struct sigevent ev = {};
  ev.sigev_notify = SIGEV_NONE;
  int* timer = take<int>();
  check("timer_create", 0, SYS_timer_create, CLOCK_MONOTONIC, put(ev), timer);
  check("timer_settime", 0, SYS_timer_settime, *timer, 0, put(itimerspec{{0, 0}, {100, 0}}), take<itimerspec>());
  check("timer_gettime", 0, SYS_timer_gettime, *timer, take<itimerspec>());
  check("timer_delete", 0, SYS_timer_delete, *timer);
  const int fd = static_cast<int>(check("timerfd_create", kOk, SYS_timerfd_create, CLOCK_MONOTONIC, 0));
  check("timerfd_settime", 0, SYS_timerfd_settime, fd, 0, put(itimerspec{{0, 0}, {0, 1000}}), take<itimerspec>());
  check("timerfd_gettime", 0, SYS_timerfd_gettime, fd, take<itimerspec>());
  check("read of a timerfd", 8, SYS_read, fd, take<uint64_t>(), 8);
  close(fd);
  check("rt_sigaction", 0, SYS_rt_sigaction, SIGUSR1, nullptr, take(64), 8);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  check("rt_sigprocmask", 0, SYS_rt_sigprocmask, SIG_BLOCK, put(set), take(64), 8);
  kill(getpid(), SIGUSR1);
  check("rt_sigpending", 0, SYS_rt_sigpending, take(64), 8);
  check("rt_sigtimedwait", SIGUSR1, SYS_rt_sigtimedwait, put(set), take<siginfo_t>(), nullptr, 8);
  check("rt_sigtimedwait, nothing", -EAGAIN, SYS_rt_sigtimedwait, put(set), take<siginfo_t>(), put(timespec{0, 0}), 8);
  check("sigaltstack", 0, SYS_sigaltstack, nullptr, take(64));
}

void system_v() {
  reset();
  const int sem = static_cast<int>(check("semget", kOk, SYS_semget, IPC_PRIVATE, 3, 0600));
  if (sem >= 0) {
    check("SETVAL", 0, SYS_semctl, sem, 1, SETVAL, 7);
    check("GETVAL", 7, SYS_semctl, sem, 1, GETVAL, 0);
    check("GETALL", 0, SYS_semctl, sem, 0, GETALL, take<uint16_t>(3));
    check("semctl IPC_STAT", 0, SYS_semctl, sem, 0, IPC_STAT, take<semid_ds>());
    check("semctl IPC_INFO", kOk, SYS_semctl, 0, 0, IPC_INFO, take<seminfo>());
    check("SEM_INFO", kOk, SYS_semctl, 0, 0, SEM_INFO, take<seminfo>());
    check("semctl IPC_RMID", 0, SYS_semctl, sem, 0, IPC_RMID, 0);
  }
  const int shm = static_cast<int>(check("shmget", kOk, SYS_shmget, IPC_PRIVATE, 4096, 0600));
  if (shm >= 0) {
    check("shmctl IPC_STAT", 0, SYS_shmctl, shm, IPC_STAT, take<shmid_ds>());
    check("shmctl IPC_INFO", kOk, SYS_shmctl, 0, IPC_INFO, take(128));
    check("SHM_INFO", kOk, SYS_shmctl, 0, SHM_INFO, take(128));
    check("shmctl IPC_RMID", 0, SYS_shmctl, shm, IPC_RMID, nullptr);
  }
  const int queue = static_cast<int>(check("msgget", kOk, SYS_msgget, IPC_PRIVATE, 0600));
  if (queue >= 0) {
    struct {
      long type;
      char text[32];
    } m = {4, "a message"};
    check("msgsnd", 0, SYS_msgsnd, queue, put(m), 9, 0);
    check("msgctl IPC_STAT", 0, SYS_msgctl, queue, IPC_STAT, take<msqid_ds>());
    check("msgctl IPC_INFO", kOk, SYS_msgctl, 0, IPC_INFO, take(128));
    check("msgrcv", 9, SYS_msgrcv, queue, take(64), 32, 0, 0);
    check("msgrcv, nothing", -ENOMSG, SYS_msgrcv, queue, take(64), 32, 0, IPC_NOWAIT);
    check("msgctl IPC_RMID", 0, SYS_msgctl, queue, IPC_RMID, nullptr);
  }
  struct mq_attr attr = {};
  attr.mq_maxmsg = 4;
  attr.mq_msgsize = 64;
  const int mq = static_cast<int>(
      check("mq_open", kAny, SYS_mq_open, "understudy-marshal-test", O_CREAT | O_RDWR, 0600, put(attr)));
  if (mq >= 0) {
    syscall(SYS_mq_unlink, "understudy-marshal-test");
    check("mq_timedsend", 0, SYS_mq_timedsend, mq, "abc", 3, 5, nullptr);
    check("mq_getsetattr", 0, SYS_mq_getsetattr, mq, nullptr, take<mq_attr>());
    check("mq_timedreceive", 3, SYS_mq_timedreceive, mq, take(64), 64, take<int>(), nullptr);
    close(mq);
  }
}

void asynchronous_io() {
  reset();
  const int fd = open((scratch_dir + "/file").c_str(), O_RDWR);
  uint64_t* ctx = take<uint64_t>();
  *ctx = 0;
  if (check("io_setup", kAny, SYS_io_setup, 8, ctx) != 0) return;
  struct Iocb {
    uint64_t data;
    uint32_t key, rw_flags;
    uint16_t opcode, priority;
    uint32_t fd;
    uint64_t buf, nbytes;
    int64_t offset;
    uint64_t reserved;
    uint32_t flags, resfd;
  };
  Iocb cb = {};
  cb.fd = static_cast<uint32_t>(fd);
  cb.buf = reinterpret_cast<uint64_t>(take(100));
  cb.nbytes = 100;
  // The buffer is written between the two calls: it is the second that carries it.
  const std::vector<uint8_t> before(arena, arena + kArena);
  Iocb* at = put(cb);
  if (syscall(SYS_io_submit, *ctx, 1, put(at)) != 1) return fail("io_submit: %s", strerror(errno));
  check("io_getevents", 1, SYS_io_getevents, *ctx, 1, 4, take(128), nullptr);
  syscall(SYS_io_destroy, *ctx);
  close(fd);
}

// What only recent kernels or some file systems have: checked where it is there.
void newer_calls() {
  reset();
  struct {
    uint32_t size, spare;
    uint64_t mnt_id, param, ns;
  } request = {24, 0, ~0ull, 0, 0};
  uint64_t* ids = take<uint64_t>(64);
  if (check("listmount", kAny, 458, put(request), ids, 64, 0) > 0) {
    request.mnt_id = ids[0];
    request.param = 0x3f;
    check("statmount", kAny, 457, put(request), take(4096), 4096, 0);
    check("statmount, too small", kAny, 457, put(request), take(512), 16, 0);
  }
  check("lsm_get_self_attr", kAny, 459, 100, take(1024), put<uint32_t>(1024), 0);
  check("lsm_get_self_attr, size only", kAny, 459, 100, nullptr, put<uint32_t>(0), 0);
  const int pages = open("/proc/self/pagemap", O_RDONLY), maps = open("/proc/self/maps", O_RDONLY);
  struct {
    uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages, inverted, mask, any, ret;
  } scan = {96, 0, (uint64_t)arena, (uint64_t)arena + kArena, 0, (uint64_t)take(24 * 8), 8, 0, 0, 0, 1 << 3, 1 << 3};
  check("PAGEMAP_SCAN", kAny, SYS_ioctl, pages, 0xc0606610, put(scan));
  struct {
    uint64_t size, flags, addr, result[7];
    uint32_t name_size, build_id_size;
    uint64_t name, build_id, pad;
  } query = {104, 0, (uint64_t)&newer_calls, {}, 256, 64, (uint64_t)take(256), (uint64_t)take(64), 0};
  static_assert(sizeof query == 112);
  check("PROCMAP_QUERY", kAny, SYS_ioctl, maps, 0xc0686611, put(query));
  close(pages);
  close(maps);
  const int fd = open((scratch_dir + "/file").c_str(), O_RDWR), other = open((scratch_dir + "/file2").c_str(), O_RDWR);
  struct {
    uint64_t offset, length;
    uint16_t count, pad1;
    uint32_t pad2;
    struct {
      int64_t fd;
      uint64_t offset, done;
      int32_t status;
      uint32_t pad;
    } info[2];
  } dedupe = {0, 50, 2, 0, 0, {{other, 0, 99, 99, 0}, {-1, 0, 99, 99, 0}}};
  check("FIDEDUPERANGE", kAny, SYS_ioctl, fd, FIDEDUPERANGE, put(dedupe));
  struct {
    uint64_t value;
    uint32_t size, flags;
  } xattr = {(uint64_t)take(64), 64, 0};
  check("getxattrat", kAny, 464, fd, "", 0x1000, "user.test", put(xattr), 16);
  check("listxattrat", kAny, 465, fd, "", 0x1000, take(64), 64);
  check("file_getattr", kAny, 468, fd, "", take(64), 32, 0x1000);
  check("an unknown ioctl that reads", kAny, SYS_ioctl, fd, 0x80087a7a, take(64));
  check("an unknown ioctl with a number", kAny, SYS_ioctl, fd, 0x80087a7b, 5);
  close(fd);
  close(other);
}

void traced_process() {
  reset();
  const pid_t child = fork();
  if (child == 0) {
    syscall(SYS_ptrace, 0, 0, 0, 0);
    raise(SIGSTOP);
    _exit(0);
  }
  int status;
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return fail("a traced child did not stop");
  check("PTRACE_GETREGS", 0, SYS_ptrace, 12, child, 0, take(512));
  check("PTRACE_GETFPREGS", 0, SYS_ptrace, 14, child, 0, take(1024));
  check("PTRACE_GETSIGINFO", 0, SYS_ptrace, 0x4202, child, 0, take(256));
  check("PTRACE_PEEKDATA", 0, SYS_ptrace, 2, child, arena, take<uint64_t>());
  check("PTRACE_PEEKUSER", 0, SYS_ptrace, 3, child, 0, take<uint64_t>());
  check("PTRACE_GETSIGMASK", 0, SYS_ptrace, 0x420a, child, 8, take(64));
  check("PTRACE_GETREGSET", 0, SYS_ptrace, 0x4204, child, 1, put(iovec{take(512), 512}));
  check("PTRACE_GETREGSET, short", 0, SYS_ptrace, 0x4204, child, 2, put(iovec{take(512), 64}));
  check("PTRACE_GET_SYSCALL_INFO", kOk, SYS_ptrace, 0x420e, child, 88, take(128));
  check("PTRACE_GETEVENTMSG", kAny, SYS_ptrace, 0x4201, child, 0, take(64));
  check("PTRACE_GET_RSEQ_CONFIGURATION", kAny, SYS_ptrace, 0x420f, child, 24, take(64));
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
}

// A clone's ids, in the parent's event and in the child's.
void clones() {
  reset();
  int* parent = take<int>();
  int* child = take<int>();
  *parent = 11;
  *child = 12;
  const Call c{SYS_clone, {0x00100000 | 0x01000000, 0, (uint64_t)parent, (uint64_t)child, 0, 0}};
  const auto in_parent = record(c, {}, 500), in_child = record(c, {}, 0), failed = record(c, {}, -EAGAIN);
  if (in_parent.size() != 1 || in_parent[0].bytes[0] != 11) fail("clone, in the parent");
  if (in_child.size() != 1 || in_child[0].bytes[0] != 12) fail("clone, in the child");
  if (!failed.empty()) fail("clone that failed");
  const uint64_t args[11] = {0x1000 | 0x01000000, (uint64_t)parent, (uint64_t)child, (uint64_t)parent};
  const Call c3{SYS_clone3, {(uint64_t)args, sizeof args, 0, 0, 0, 0}};
  const auto parent3 = record(c3, {}, 500), child3 = record(c3, {}, 0);
  if (parent3.size() != 2 || parent3[0].nil || !parent3[1].nil) fail("clone3, in the parent");
  if (child3.size() != 1 || child3[0].bytes[0] != 12) fail("clone3, in the child");
}

// ---- Everything else -----------------------------------------------------------------------------------------------------
std::vector<uint8_t> from_hex(const char* hex) {
  std::vector<uint8_t> bytes;
  for (; *hex; hex += 2) bytes.push_back(static_cast<uint8_t>(std::stoi(std::string(hex, 2), nullptr, 16)));
  return bytes;
}

void golden_vectors() {
  for (const GoldenVector& v : kGolden) {
    const std::vector<uint8_t> expected = from_hex(v.hex);
    std::vector<uint8_t> encoded(expected.size() + 64 * kHeadMax);
    uint8_t* p = encoded.data();
    Reader reader{expected.data(), expected.data() + expected.size()};
    bool same = true;
    for (unsigned i = v.first; i < v.first + v.count; ++i) {
      const GoldenValue& value = kGoldenValues[i];
      const uint8_t* data = nullptr;
      uint32_t n = 0;
      int64_t number = 0;
      switch (value.type) {
        case kGoldenInt:
          p = value.text ? put_uint(p, value.number) : put_int(p, static_cast<int64_t>(value.number));
          same &= reader.integer(number) && static_cast<uint64_t>(number) == value.number;
          break;
        case kGoldenArray:
          p = put_array(p, static_cast<uint32_t>(value.number));
          same &= reader.array(n) && n == value.number;
          break;
        case kGoldenNil:
          p = put_nil(p);
          same &= reader.nil();
          break;
        case kGoldenBin: {
          const std::vector<uint8_t> bytes = from_hex(value.text);
          p = put_bin_head(p, static_cast<uint32_t>(bytes.size()));
          memcpy(p, bytes.data(), bytes.size());
          p += bytes.size();
          same &= reader.bin(data, n) && n == bytes.size() && !memcmp(data, bytes.data(), n);
          break;
        }
        case kGoldenStr:
          p = put_str_head(p, static_cast<uint32_t>(value.number));
          memcpy(p, value.text, value.number);
          p += value.number;
          same &= reader.str(data, n) && n == value.number && !memcmp(data, value.text, n);
          break;
      }
    }
    if (!same || reader.p != reader.end) fail("golden vector '%s' is not read as it should be", v.name);
    encoded.resize(static_cast<size_t>(p - encoded.data()));
    if (encoded != expected) fail("golden vector '%s' is not written as it should be", v.name);
    Reader whole{expected.data(), expected.data() + expected.size()};
    if (!whole.skip() || whole.p != whole.end) fail("golden vector '%s' is not skipped as a whole", v.name);
    for (size_t cut = 0; cut < expected.size(); ++cut) {
      Reader part{expected.data(), expected.data() + cut};
      if (part.skip() || part.p != expected.data()) {
        fail("golden vector '%s', cut off at %zu, passes for whole", v.name, cut);
        break;
      }
    }
  }
  // Any bytes: the reader must neither leave them nor stand still.
  srand(1);
  for (int round = 0; round < 20000; ++round) {
    uint8_t junk[24];
    for (uint8_t& b : junk) b = static_cast<uint8_t>(rand());
    Reader r{junk, junk + rand() % (sizeof junk + 1)};
    while (r.p < r.end) {
      const uint8_t* at = r.p;
      int64_t number;
      uint32_t n;
      const uint8_t* data;
      if (!(r.integer(number) || r.bin(data, n) || r.str(data, n) || r.nil() || r.skip())) break;
      if (r.p <= at || r.p > r.end) {
        fail("the reader left its bytes");
        return;
      }
    }
  }
}

void sums() {
  if (crc32c(0, "123456789", 9) != 0xe3069283) fail("crc32c is not CRC32C");
  std::vector<uint8_t> bytes(10000);
  const auto by_bits = [&](size_t from, size_t n) {
    uint32_t crc = 0xffffffff;
    for (size_t i = from; i < from + n; ++i) {
      crc ^= bytes[i];
      for (int k = 0; k < 8; ++k) crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78 : 0);
    }
    return ~crc;
  };
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 31 + (i >> 8));
  for (const size_t n : {0, 7, 255, 1023, 1024, 1025, 2048, 3333, 9000})
    if (crc32c(0, bytes.data() + 3, n) != by_bits(3, n)) fail("crc32c of %zu bytes", n);
  const auto ends = [&](size_t n) {
    if (n <= 4096) return crc32c(0, bytes.data(), n);
    return crc32c(crc32c(0, bytes.data(), 2048), bytes.data() + n - 2048, 2048);
  };
  for (const size_t n : {1, 2048, 4095, 4096, 4097, 5000, 10000}) {
    const Call write{SYS_write, {1, reinterpret_cast<uint64_t>(bytes.data()), n, 0, 0, 0}};
    if (data_sum(write, static_cast<int64_t>(n)) != ends(n)) fail("data sum of %zu bytes", n);
    for (const size_t cut : {size_t{1}, n / 3, n - 1}) {
      const struct iovec iov[] = {{bytes.data(), cut}, {bytes.data() + cut, n - cut}, {nullptr, 1000}};
      const Call writev{SYS_writev, {1, reinterpret_cast<uint64_t>(iov), 3, 0, 0, 0}};
      if (data_sum(writev, static_cast<int64_t>(n)) != ends(n)) fail("data sum of %zu bytes in pieces", n);
    }
    if (data_sum(write, -EAGAIN) != 0 || data_sum(write, 0) != 0) fail("data sum of nothing");
  }
  const Call a{SYS_read, {1, 2, 3, 0, 0, 0}}, b{SYS_read, {1, 3, 2, 0, 0, 0}}, unused{SYS_read, {1, 2, 3, 9, 9, 9}};
  if (arg_sum(a) == arg_sum(b)) fail("the argument sum does not see the order");
  if (arg_sum(a) != arg_sum(unused)) fail("the argument sum sees what is no argument");
  if (arg_sum(Call{SYS_getpid, {1, 2, 3, 4, 5, 6}}) != 0) fail("a call without arguments has a sum");
}

void questions() {
  const auto call = [](uint32_t nr, uint64_t a = 0, uint64_t b = 0, uint64_t c = 0, uint64_t d = 0) {
    return Call{nr, {a, b, c, d, 0, 0}};
  };
  if (!is_opaque(call(999)) || !is_opaque(call(400)) || is_opaque(call(SYS_read))) fail("is_opaque: numbers");
  if (is_opaque(call(SYS_ioctl, 0, TCGETS)) || !is_opaque(call(SYS_ioctl, 0, 0x5310)) ||
      is_opaque(call(SYS_ioctl, 0, 0xffffffff00005401)))
    fail("is_opaque: ioctl");
  if (is_opaque(call(SYS_prctl, PR_SET_NAME)) || !is_opaque(call(SYS_prctl, 12345))) fail("is_opaque: prctl");
  if (!may_block(call(SYS_futex, 0, FUTEX_WAIT_PRIVATE)) || may_block(call(SYS_futex, 0, FUTEX_WAKE_PRIVATE)))
    fail("may_block: futex");
  if (may_block(call(SYS_fcntl, 0, F_SETLK)) || !may_block(call(SYS_fcntl, 0, F_SETLKW))) fail("may_block: fcntl");
  if (may_block(call(SYS_poll, 0, 0, 0)) || !may_block(call(SYS_poll, 0, 0, ~0ull))) fail("may_block: poll");
  if (may_block(call(SYS_wait4, 0, 0, WNOHANG)) || !may_block(call(SYS_wait4))) fail("may_block: wait4");
  if (may_block(call(SYS_ioctl, 0, FIONBIO)) || !may_block(call(SYS_ioctl, 0, TCSETSW))) fail("may_block: ioctl");
  if (restart_of(call(SYS_read)) != kRestartSys || restart_of(call(SYS_poll)) != kRestartNever) fail("restart_of");
  if (restart_of(call(SYS_futex, 0, FUTEX_WAIT, 0, 0)) != kRestartSys ||
      restart_of(call(SYS_futex, 0, FUTEX_WAIT, 0, 8)) != kRestartNever)
    fail("restart_of: futex");
  if (!makes_fd(call(SYS_fcntl, 0, F_DUPFD_CLOEXEC)) || makes_fd(call(SYS_fcntl, 0, F_GETFD)) ||
      !makes_fd(call(SYS_socket)))
    fail("makes_fd");
  if (class_of(call(SYS_arch_prctl, 0x1002)) != kClassReexecute || class_of(call(SYS_mmap)) != kClassReexecute)
    fail("class_of");
  unsigned arg = 9;
  uint64_t capacity = 0;
  if (!simple_out_buffer(call(SYS_epoll_wait, 3, 0x1000, 5), arg, capacity) || arg != 1 || capacity != 60)
    fail("simple_out_buffer");
  for (uint32_t nr = 0; nr < 500; ++nr) {
    // A simple buffer is the call's only output.
    if (simple_out_buffer(call(nr, 1, 1, 1), arg, capacity) && (arg > 1 || describe(nr).out_count > 2))
      fail("simple_out_buffer of %u", nr);
  }
}

void bad_memory() {
  uint64_t v = 42;
  if (understudy_peek(&v, reinterpret_cast<void*>(16), 8) != 8) fail("peek of a bad address");
  uint8_t* page = static_cast<uint8_t*>(
      mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  munmap(page + 4096, 4096);
  if (understudy_peek(&v, page + 4092, 8) != 4) fail("peek across the end of memory");
  if (understudy_peek(&v, reinterpret_cast<void*>(0x800000000000ull), 8) != 8)
    fail("peek of an address that cannot be");
}

}  // namespace

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
