// A guest for shadow_test: opens everything that a replica can be given again, shared over fork and dup and under moved numbers, waits for
// SIGUSR1 (the checkpoint is taken there), and then finds out whether all is as it was. What it finds is in $OUT, and always the same.
//
// argv: a folder of its own.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MUST(condition)                                                                   \
  do {                                                                                    \
    if (!(condition)) {                                                                   \
      fprintf(stderr, "guest, line %d: %s: %s\n", __LINE__, #condition, strerror(errno)); \
      exit(1);                                                                            \
    }                                                                                     \
  } while (0)

static char lines[65536];
static size_t length;
static void say(const char* what, long value) {
  length += (size_t)snprintf(lines + length, sizeof lines - length, "%s %ld\n", what, value);
}
static void say_read(const char* what, int fd) {
  char text[300000];
  const ssize_t n = read(fd, text, sizeof text);
  unsigned long sum = 0;
  for (ssize_t i = 0; i < n; i++) sum = sum * 31 + (unsigned char)text[i];
  length += (size_t)snprintf(lines + length, sizeof lines - length, "%s %zd %lu\n", what, n < 0 ? -(ssize_t)errno : n,
                             sum);
}
// To its end, or to where it would wait: one that is recorded for a backup may be given less by a call than it asks for.
static void say_all(const char* what, int fd) {
  char text[300000];
  unsigned long sum = 0, total = 0;
  for (ssize_t n; (n = read(fd, text, sizeof text)) > 0; total += (unsigned long)n)
    for (ssize_t i = 0; i < n; i++) sum = sum * 31 + (unsigned char)text[i];
  length += (size_t)snprintf(lines + length, sizeof lines - length, "%s %lu %lu\n", what, total, sum);
}
static void put(int fd, const char* text) { MUST(write(fd, text, strlen(text)) == (ssize_t)strlen(text)); }
static int open_at(const char* dir, const char* name, int flags) {
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  return open(path, flags, 0600);
}
static void add(int set, int fd, unsigned events, unsigned long long data) {
  struct epoll_event e = {.events = events, .data = {.u64 = data}};
  MUST(epoll_ctl(set, EPOLL_CTL_ADD, fd, &e) == 0);
}
static int listener_at(const char* path, int abstract, int type) {
  struct sockaddr_un a = {AF_UNIX, {0}};
  snprintf(a.sun_path + abstract, sizeof a.sun_path - 1, "%s", path);
  const socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1);
  const int fd = socket(AF_UNIX, type, 0);
  if (!abstract) unlink(path);
  MUST(fd >= 0 && bind(fd, (struct sockaddr*)&a, len) == 0);
  if (type != SOCK_DGRAM) MUST(listen(fd, 7) == 0);
  return fd;
}
static int connect_to(const char* path, int abstract) {
  struct sockaddr_un a = {AF_UNIX, {0}};
  snprintf(a.sun_path + abstract, sizeof a.sun_path - 1, "%s", path);
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  MUST(connect(fd, (struct sockaddr*)&a, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path) + 1)) == 0);
  return fd;
}
static void on_signal(int signo) { (void)signo; }

// Whose lock is in the way of one that begins at `start`.
static void say_lock(const char* what, int fd, off_t start) {
  struct flock range = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = 1};
  MUST(fcntl(fd, F_OFD_GETLK, &range) == 0);
  length += (size_t)snprintf(lines + length, sizeof lines - length, "%s: type %d of %d from %ld, %ld bytes\n", what,
                             range.l_type, (int)range.l_pid, (long)range.l_start, (long)range.l_len);
}
static void lock(int fd, int command, short type, off_t start, off_t bytes) {
  struct flock range = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = bytes};
  MUST(fcntl(fd, command, &range) == 0);
}

// Another user, who has kept one right, and can never have another one again.
enum { kUser = 1234 };
static struct __user_cap_data_struct rights[2];
static struct __user_cap_header_struct version = {_LINUX_CAPABILITY_VERSION_3, 0};
static void give_up_rights(void) {
  MUST(nice(3) != -1 && prctl(PR_CAPBSET_DROP, CAP_SYS_TIME, 0, 0, 0) == 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0);
  MUST(setresgid(kUser, kUser, kUser) == 0 && setresuid(kUser, kUser, kUser) == 0);
  rights[0].effective = rights[0].permitted = 1u << CAP_NET_BIND_SERVICE | 1u << CAP_KILL;
  MUST(syscall(SYS_capset, &version, rights) == 0);
}
static int has_rights_as_given(void) {
  MUST(syscall(SYS_capget, &version, rights) == 0);
  return rights[0].effective == (1u << CAP_NET_BIND_SERVICE | 1u << CAP_KILL) &&
         rights[0].permitted == rights[0].effective && rights[1].permitted == 0 &&
         prctl(PR_CAPBSET_READ, CAP_SYS_TIME, 0, 0, 0) == 0 && getuid() == kUser && getpriority(PRIO_PROCESS, 0) == 3;
}

int main(int argc, char** argv) {
  const char* dir = argc > 1 ? argv[1] : ".";
  const char* result = getenv("OUT");
  char path[4096], name[128];
  MUST(chdir(dir) == 0);
  umask(027);
  struct rlimit files;
  MUST(getrlimit(RLIMIT_NOFILE, &files) == 0);
  files.rlim_cur = 900;
  MUST(setrlimit(RLIMIT_NOFILE, &files) == 0);

  // Files: positions, flags, shared by dup and fork, at numbers of all kinds.
  const int file = open_at(dir, "file", O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_TRUNC);
  put(file, "0123456789abcdefghij");
  lseek(file, 4, SEEK_SET);
  const int twin = dup2(file, 77);
  const int again = open_at(dir, "file", O_RDONLY);
  lseek(again, 7, SEEK_SET);
  const int folder = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const int place = open(dir, O_PATH);
  const int zero = open("/dev/zero", O_RDONLY);
  snprintf(path, sizeof path, "%s/fifo", dir);
  unlink(path);
  MUST(mkfifo(path, 0600) == 0);
  const int fifo_in = open(path, O_RDONLY | O_NONBLOCK), fifo_out = open(path, O_WRONLY);
  put(fifo_out, "through the fifo");
  MUST(twin == 77 && again >= 0 && folder >= 0 && place >= 0 && zero >= 0 && fifo_in >= 0 && fifo_out >= 0);

  // Locks, of each kind.
  const int locked = open_at(dir, "locked", O_RDWR | O_CREAT);
  MUST(locked >= 0 && flock(locked, LOCK_EX) == 0);
  lock(locked, F_SETLK, F_WRLCK, 5, 10);
  lock(locked, F_OFD_SETLK, F_RDLCK, 100, 0);

  // Pipes.
  int big[2], packets[2], half[2], moved[2];
  static char much[100000];
  memset(much, 'p', sizeof much);
  for (size_t i = 0; i < sizeof much; i += 37) much[i] = (char)i;
  MUST(pipe2(big, O_NONBLOCK) == 0 && fcntl(big[1], F_SETPIPE_SZ, 1 << 18) == 1 << 18);
  MUST(write(big[1], much, sizeof much) == sizeof much);
  MUST(pipe2(packets, O_DIRECT) == 0);
  put(packets[1], "one");
  put(packets[1], "two and more");
  MUST(pipe(half) == 0);
  put(half[1], "whose writer is gone");
  close(half[1]);
  MUST(pipe(moved) == 0);
  const int moved_in = fcntl(moved[0], F_DUPFD_CLOEXEC, 300);
  close(moved[0]);

  // Unix sockets.
  int stream[2], datagrams[2], sequence[2], orphan[2];
  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, stream) == 0 && socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams) == 0);
  MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sequence) == 0);
  MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, orphan) == 0);
  put(stream[0], "hello ");
  put(stream[0], "world");
  put(stream[1], "back");
  put(datagrams[0], "first");
  put(datagrams[0], "second one");
  put(sequence[1], "last words");
  shutdown(sequence[1], SHUT_WR);
  put(orphan[1], "farewell");
  close(orphan[1]);
  const int buffer = 20000, one = 1;
  MUST(setsockopt(stream[0], SOL_SOCKET, SO_SNDBUF, &buffer, sizeof buffer) == 0);
  MUST(setsockopt(datagrams[1], SOL_SOCKET, SO_PASSCRED, &one, sizeof one) == 0);
  snprintf(name, sizeof name, "understudy-shadow-%d-%ld", (int)getpid(), (long)time(NULL));
  snprintf(path, sizeof path, "%s/socket", dir);
  const int abstract = listener_at(name, 1, SOCK_STREAM), listener = listener_at(path, 0, SOCK_STREAM);
  const int client = connect_to(name, 1), server = accept(abstract, NULL, NULL);
  const int client_too = connect_to(path, 0), server_too = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  const int waiting = connect_to(path, 0);
  put(client, "a request");
  put(server_too, "an answer");
  char inbox[4200];
  snprintf(inbox, sizeof inbox, "%s/inbox", dir);
  const int box = listener_at(inbox, 0, SOCK_DGRAM);
  MUST(server >= 0 && server_too >= 0 && waiting >= 0);

  // Sockets of IP: shadows.
  const int tcp = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), tcp6 = socket(AF_INET6, SOCK_STREAM, 0);
  struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  MUST(setsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) == 0);
  MUST(bind(tcp, (struct sockaddr*)&any, sizeof any) == 0 && listen(tcp, 9) == 0);
  const int has6 = tcp6 >= 0 && bind(tcp6, (struct sockaddr*)&any6, sizeof any6) == 0 && listen(tcp6, 3) == 0;
  socklen_t any_length = sizeof any;
  MUST(getsockname(tcp, (struct sockaddr*)&any, &any_length) == 0);
  const int out = socket(AF_INET, SOCK_STREAM, 0);
  MUST(connect(out, (struct sockaddr*)&any, sizeof any) == 0);
  const int in = accept4(tcp, NULL, NULL, SOCK_CLOEXEC);
  MUST(in >= 0 && setsockopt(in, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) == 0);
  const int udp = socket(AF_INET, SOCK_DGRAM, 0);
  any.sin_port = 0;
  MUST(bind(udp, (struct sockaddr*)&any, sizeof any) == 0);

  // What counts.
  const int event = eventfd(7, EFD_SEMAPHORE | EFD_NONBLOCK), counter = eventfd(0, 0);
  const int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  const int expired = timerfd_create(CLOCK_MONOTONIC, 0);
  const struct itimerspec hour = {{5, 500}, {3600, 0}}, soon = {{0, 0}, {0, 1}};
  MUST(timerfd_settime(timer, 0, &hour, NULL) == 0 && timerfd_settime(expired, 0, &soon, NULL) == 0);
  sigset_t set, before;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  const int signals = signalfd(-1, &set, SFD_CLOEXEC);
  sigaddset(&set, SIGUSR1);
  MUST(sigprocmask(SIG_BLOCK, &set, &before) == 0);
  signal(SIGUSR1, on_signal);
  const int memory = (int)syscall(SYS_memfd_create, "some memory", 2 /* MFD_ALLOW_SEALING */);
  MUST(ftruncate(memory, 1 << 20) == 0 && pwrite(memory, "in the middle", 13, 500000) == 13);
  MUST(lseek(memory, 500003, SEEK_SET) == 500003 && fcntl(memory, F_ADD_SEALS, F_SEAL_SHRINK) == 0);

  // Sets, of descriptors that were closed and moved since, and of each other.
  const int epoll = epoll_create1(0), nested = epoll_create1(EPOLL_CLOEXEC);
  add(epoll, event, EPOLLIN | EPOLLET, 0x1122334455667788);
  add(epoll, big[1], EPOLLOUT | EPOLLONESHOT, 2);
  // Not asked: until connections are taken over, a shadow of a listener is a socket that does not listen.
  const int asleep = epoll_create1(0);
  add(asleep, tcp, EPOLLIN, 5);
  add(epoll, stream[1], EPOLLIN | EPOLLRDHUP, 6);
  const int closed = dup(moved_in);
  add(epoll, closed, EPOLLIN, 3);
  close(closed);
  add(epoll, counter, EPOLLIN, 7);
  const int counter_moved = dup2(counter, 120);
  close(counter);
  add(nested, epoll, EPOLLIN, 4);

  const int notify = inotify_init1(IN_NONBLOCK);
  snprintf(path, sizeof path, "%s/watched", dir);
  mkdir(path, 0700);
  MUST(inotify_rm_watch(notify, inotify_add_watch(notify, dir, IN_CREATE)) == 0);
  char drop[4096];
  while (read(notify, drop, sizeof drop) > 0) {}
  const int wd = inotify_add_watch(notify, path, IN_CREATE | IN_DELETE);
  MUST(wd > 1);

  // What the checkpoint has to keep of timers: one is far away, one is set and comes after it.
  timer_t far_away, soon_enough;
  struct sigevent with = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2, .sigev_value = {.sival_int = 99}};
  MUST(timer_create(CLOCK_MONOTONIC, &with, &far_away) == 0 && timer_create(CLOCK_REALTIME, NULL, &soon_enough) == 0);
  MUST(timer_delete(soon_enough) == 0 && timer_settime(far_away, 0, &hour, NULL) == 0);
  const struct itimerval in_a_day = {{7, 0}, {86400, 0}};
  MUST(setitimer(ITIMER_REAL, &in_a_day, NULL) == 0);

  int pidfd;
  const pid_t child = fork();
  MUST(child >= 0);
  if (child == 0) {
    // What both have, something of its own, and a number that means something else here.
    close(file);
    MUST(dup2(event, file) == file);
    close(event);
    const int own = open_at(dir, "file", O_RDONLY);
    lseek(own, 11, SEEK_SET);
    MUST(chdir("/") == 0);
    umask(077);
    sigset_t none = before;
    sigdelset(&none, SIGUSR1);
    sigsuspend(&none);
    length = 0;
    say_read("child reads its own", own);
    char four[4];
    say("child reads the shared one", read(twin, four, 4));
    say("child's first", four[0]);
    say_read("child counts", file);
    put(moved[1], "from the child");
    put(1, "");
    const int results = open_at(dir, "child-result", O_WRONLY | O_CREAT | O_TRUNC);
    MUST(write(results, lines, length) == (ssize_t)length);
    _exit(3);
  }
  const pid_t servant = fork();
  MUST(servant >= 0);
  if (servant == 0) {
    give_up_rights();
    lock(locked, F_SETLK, F_RDLCK, 50, 5);
    sigset_t wanted = before;
    sigdelset(&wanted, SIGUSR1);
    sigsuspend(&wanted);
    _exit(has_rights_as_given() ? 6 : 1);
  }
  const pid_t sleeper = fork();
  MUST(sleeper >= 0);
  if (sleeper == 0) {
    // Its own signals wake it, though it has not made the set; under a number that means something else by now. One comes before it looks, of
    // a kind that is ignored: such a one is dropped whenever that is said again.
    sigset_t its;
    sigemptyset(&its);
    sigaddset(&its, SIGUSR2);
    sigaddset(&its, SIGURG);
    MUST(sigprocmask(SIG_BLOCK, &its, NULL) == 0);
    const int wakes = signalfd(-1, &its, 0), set_of_its = epoll_create1(0), ends = epoll_create1(0);
    MUST(dup2(wakes, 130) == 130);
    add(set_of_its, 130, EPOLLIN, 8);
    MUST(dup2(zero, 130) == 130);
    add(ends, (int)syscall(SYS_pidfd_open, child, 0), EPOLLIN, 9);
    MUST(close(open_at(dir, "sleeps", O_WRONLY | O_CREAT)) == 0);
    struct epoll_event e;
    MUST(epoll_wait(ends, &e, 1, 20000) == 1 && e.data.u64 == 9);
    unsigned got = 0;
    while (got != (1u << SIGURG | 1u << SIGUSR2) && epoll_wait(set_of_its, &e, 1, 20000) == 1) {
      struct signalfd_siginfo told;
      MUST(e.data.u64 == 8 && read(wakes, &told, sizeof told) == sizeof told);
      got |= 1u << told.ssi_signo;
    }
    char byte = 1;
    MUST(read(130, &byte, 1) == 1 && byte == 0);
    _exit(got == (1u << SIGURG | 1u << SIGUSR2) ? 17 : 1);
  }
  snprintf(path, sizeof path, "%s/sleeps", dir);
  while (access(path, F_OK) != 0) usleep(1000);
  pidfd = (int)syscall(SYS_pidfd_open, child, 0);

  sigset_t none = before;
  sigdelset(&none, SIGUSR1);
  MUST(close(open_at(dir, "ready", O_WRONLY | O_CREAT)) == 0);
  sigsuspend(&none);

  kill(sleeper, SIGURG);
  kill(child, SIGUSR1);
  int status = -1;
  MUST(waitpid(child, &status, 0) == child);
  say("child's status", status);
  const int to_lock = open_at(dir, "locked", O_RDWR);
  say("whole lock", flock(to_lock, LOCK_SH | LOCK_NB) == 0 ? 0 : errno);
  say_lock("own lock", to_lock, 7);
  say_lock("child's lock", to_lock, 54);
  say_lock("file's lock", to_lock, 1000);
  say_lock("no lock", to_lock, 20);
  kill(servant, SIGUSR1);
  MUST(waitpid(servant, &status, 0) == servant);
  say("servant's status", status);
  kill(sleeper, SIGUSR2);
  MUST(waitpid(sleeper, &status, 0) == sleeper);
  say("sleeper's status", status);
  say("the file stands at", lseek(file, 0, SEEK_CUR));
  say("and its twin", lseek(twin, 0, SEEK_CUR));
  say_read("again", again);
  say("folder", fchdir(folder) == 0 && access("file", R_OK) == 0);
  char four[4];
  say("zero", read(zero, four, 4) == 4 && four[3] == 0);
  say("place", faccessat(place, "file", R_OK, 0));
  say_read("fifo", fifo_in);
  say_all("pipe", big[0]);
  say_read("pipe's end", big[0]);
  say("capacity", fcntl(big[1], F_GETPIPE_SZ));
  say_read("packet", packets[0]);
  say_read("packet", packets[0]);
  say_read("half", half[0]);
  say_read("half's end", half[0]);
  say_read("stream", stream[1]);
  say_read("other way", stream[0]);
  say_read("datagram", datagrams[1]);
  say_read("datagram", datagrams[1]);
  say_read("sequence", sequence[0]);
  say_read("sequence's end", sequence[0]);
  say_read("orphan", orphan[0]);
  say_read("orphan's end", orphan[0]);
  say_read("request", server);
  say_read("answer", client_too);
  const int late = accept(listener, NULL, NULL);
  put(waiting, "waited");
  say_read("waited", late);
  const int another = connect_to(name, 1), other = accept(abstract, NULL, NULL);
  put(another, "new");
  say_read("new connection", other);
  say_read("event", event);
  say_read("event", event);
  struct itimerspec left;
  MUST(timerfd_gettime(timer, &left) == 0);
  say("timer", left.it_value.tv_sec > 3000 && left.it_value.tv_sec <= 3600 && left.it_interval.tv_sec == 5);
  say_read("expired", expired);
  MUST(timer_gettime(far_away, &left) == 0);
  say("timer of a signal", left.it_value.tv_sec > 3000 && left.it_value.tv_sec <= 3600 && left.it_interval.tv_sec == 5);
  struct itimerval day;
  MUST(getitimer(ITIMER_REAL, &day) == 0);
  say("interval timer", day.it_value.tv_sec > 86000 && day.it_interval.tv_sec == 7);
  raise(SIGUSR2);
  struct signalfd_siginfo info;
  say("signal", read(signals, &info, sizeof info) == sizeof info ? (long)info.ssi_signo : -1);
  say_all("memory", memory);
  say("seals", fcntl(memory, F_GET_SEALS));
  struct epoll_event found[16];
  put(counter_moved, "12345678");
  int n = epoll_wait(epoll, found, 16, 0);
  unsigned long data = 0;
  for (int i = 0; i < n; i++) data += found[i].data.u64;
  say("set has", n);
  say("set's data", (long)data);
  say("nested", epoll_wait(nested, found, 16, 0));
  say("nested's data", (long)found[0].data.u64);
  say_read("moved", moved_in);
  snprintf(path, sizeof path, "%s/watched/new", dir);
  close(open(path, O_CREAT | O_WRONLY, 0666));
  struct stat st;
  stat(path, &st);
  say("umask", st.st_mode & 0777);
  unlink(path);
  char events[4096];
  say("inotify", read(notify, events, sizeof events));
  say("watch", ((struct inotify_event*)events)->wd == wd);
  say("pidfd", (long)syscall(SYS_pidfd_send_signal, pidfd, 0, NULL, 0) == -1 ? errno : 0);
  MUST(getrlimit(RLIMIT_NOFILE, &files) == 0);
  say("limit", (long)files.rlim_cur);
  int flag = 0;
  socklen_t size = sizeof flag;
  getsockopt(tcp, SOL_SOCKET, SO_REUSEADDR, &flag, &size);
  say("option", flag != 0);
  say("more", has6 >= 0 && udp >= 0 && out >= 0 && box >= 0 && half[0] >= 0);
  const int results = open(result == NULL ? "result" : result, O_WRONLY | O_CREAT | O_APPEND, 0600);
  MUST(write(results, lines, length) == (ssize_t)length);
  return 5;
}
