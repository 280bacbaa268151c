// Calls about files, descriptors, waiting for them, sockets and terminals: see marshal_arena.h for what is done with each.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/futex.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "marshal_arena.h"

namespace marshal_test {

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

}  // namespace marshal_test
