// What a group has of the kernel, described from outside, against what was made; and that describing changes nothing: the group goes on
// afterwards and finds everything as it left it.
#include "checkpoint/describe.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <filesystem>

#include "common.h"

using namespace understudy::host;
using namespace understudy::host::checkpoint;

namespace {

int failures = 0;
std::string scratch;

#define EXPECT(condition, ...)                                        \
  do {                                                                \
    if (!(condition)) {                                               \
      failures++;                                                     \
      fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
      fprintf(stderr, __VA_ARGS__);                                   \
      fputc('\n', stderr);                                            \
    }                                                                 \
  } while (0)
#define MUST(condition)                                                                    \
  do {                                                                                     \
    if (!(condition)) {                                                                    \
      fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, strerror(errno)); \
      _exit(1);                                                                            \
    }                                                                                      \
  } while (0)

// Numbers of what the child has made; shared with it.
struct Made {
  int file, duplicate, again, deleted, directory;
  int pipe[2], packets[2], writer_only;
  int stream[2], datagrams[2], sequence[2], listener, connecting, tcp;
  int event, timer, signals, set, nested, notify, process, memory;
  int closed_target;  // added to the set under this number, which is closed; a duplicate is `kept_target`
  int kept_target;
  int wd;
  pid_t first, second;
  int segment, semaphores, queue;
  bool own_ipc;
  uint32_t verified;
};
Made* made;

const std::string kLong(100000, 'p');

void write_string(int fd, const std::string& text) {
  MUST(write(fd, text.data(), text.size()) == ssize_t(text.size()));
}

std::string read_string(int fd, size_t most) {
  std::string text(most, '\0');
  const ssize_t n = read(fd, text.data(), most);
  text.resize(n > 0 ? size_t(n) : 0);
  return text;
}

void make() {
  Made& m = *made;
  m.own_ipc = unshare(CLONE_NEWIPC) == 0;
  const std::string path = scratch + "/file";
  MUST((m.file = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) >= 0);
  write_string(m.file, "0123456789");
  lseek(m.file, 4, SEEK_SET);
  m.duplicate = dup(m.file);
  m.again = open(path.c_str(), O_RDONLY);
  m.deleted = open((scratch + "/gone").c_str(), O_RDWR | O_CREAT, 0600);
  unlink((scratch + "/gone").c_str());
  m.directory = open(scratch.c_str(), O_RDONLY | O_DIRECTORY);

  MUST(pipe2(m.pipe, O_NONBLOCK) == 0 && fcntl(m.pipe[1], F_SETPIPE_SZ, 1 << 18) == 1 << 18);
  write_string(m.pipe[1], kLong);
  MUST(pipe2(m.packets, O_DIRECT) == 0);
  write_string(m.packets[1], "one");
  write_string(m.packets[1], "two and more");
  int half[2];
  MUST(pipe(half) == 0);
  m.writer_only = half[1];
  write_string(half[1], "unread");
  close(half[0]);

  MUST(socketpair(AF_UNIX, SOCK_STREAM, 0, m.stream) == 0);
  write_string(m.stream[0], "hello ");
  write_string(m.stream[0], "world");
  MUST(socketpair(AF_UNIX, SOCK_DGRAM, 0, m.datagrams) == 0);
  for (const char* text : {"first", "second one", "3"}) write_string(m.datagrams[0], text);
  MUST(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, m.sequence) == 0);
  write_string(m.sequence[1], "last words");
  shutdown(m.sequence[1], SHUT_WR);
  sockaddr_un address{AF_UNIX, {}};
  memcpy(address.sun_path, "\0understudy-describe", 20);
  snprintf(address.sun_path + 20, sizeof address.sun_path - 20, "%d", int(getpid()));
  const auto length = socklen_t(offsetof(sockaddr_un, sun_path) + 20 + strlen(address.sun_path + 20));
  MUST((m.listener = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0);
  MUST(bind(m.listener, reinterpret_cast<sockaddr*>(&address), length) == 0 && listen(m.listener, 5) == 0);
  MUST((m.connecting = socket(AF_UNIX, SOCK_STREAM, 0)) >= 0);
  MUST(connect(m.connecting, reinterpret_cast<sockaddr*>(&address), length) == 0);
  MUST((m.tcp = socket(AF_INET, SOCK_STREAM, 0)) >= 0);
  sockaddr_in any{};
  any.sin_family = AF_INET;
  any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  MUST(bind(m.tcp, reinterpret_cast<sockaddr*>(&any), sizeof any) == 0 && listen(m.tcp, 5) == 0);

  MUST((m.event = eventfd(7, EFD_SEMAPHORE | EFD_NONBLOCK)) >= 0);
  MUST((m.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)) >= 0);
  const itimerspec when{{5, 500}, {3600, 0}};
  timerfd_settime(m.timer, 0, &when, nullptr);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigaddset(&set, SIGTERM);
  MUST((m.signals = signalfd(-1, &set, 0)) >= 0);
  MUST((m.memory = int(memfd_create("some memory", MFD_ALLOW_SEALING))) >= 0);
  MUST(ftruncate(m.memory, 12345) == 0 && fcntl(m.memory, F_ADD_SEALS, F_SEAL_GROW) == 0);

  MUST((m.set = epoll_create1(0)) >= 0 && (m.nested = epoll_create1(EPOLL_CLOEXEC)) >= 0);
  const auto add = [](int to, int fd, uint32_t events, uint64_t data) {
    epoll_event e{};
    e.events = events;
    e.data.u64 = data;
    MUST(epoll_ctl(to, EPOLL_CTL_ADD, fd, &e) == 0);
  };
  add(m.set, m.event, EPOLLIN | EPOLLET, 0x1122334455667788);
  add(m.set, m.pipe[1], EPOLLOUT | EPOLLONESHOT, 2);
  int target[2];
  MUST(pipe(target) == 0);
  m.closed_target = target[0];
  add(m.set, target[0], EPOLLIN, 3);
  m.kept_target = fcntl(target[0], F_DUPFD, 200);
  close(target[0]);
  add(m.nested, m.set, EPOLLIN, 4);

  MUST((m.notify = inotify_init1(IN_NONBLOCK)) >= 0);
  MUST((m.wd = inotify_add_watch(m.notify, scratch.c_str(), IN_CREATE | IN_DELETE)) >= 0);
  close(open((scratch + "/noticed").c_str(), O_CREAT | O_WRONLY, 0600));

  if (m.own_ipc) {
    MUST((m.segment = shmget(0x1234, 10000, IPC_CREAT | 0640)) >= 0);
    MUST((m.semaphores = semget(IPC_PRIVATE, 3, 0600)) >= 0);
    unsigned short values[3] = {4, 0, 9};
    MUST(semctl(m.semaphores, 0, SETALL, values) == 0);
    MUST((m.queue = msgget(0x77, IPC_CREAT | 0600)) >= 0);
    struct {
      long type;
      char text[8];
    } message{5, "queued"};
    MUST(msgsnd(m.queue, &message, 6, 0) == 0);
    message.type = 6;
    MUST(msgsnd(m.queue, &message, 0, 0) == 0);
  }
  m.first = getpid();
}

// Afterwards: everything is as it was made.
bool as_it_was() {
  Made& m = *made;
  bool ok = true;
  const auto check = [&](bool is, const char* what) {
    if (!is) fprintf(stderr, "changed by being described: %s\n", what);
    ok &= is;
  };
  check(read_string(m.pipe[0], 200000) == kLong && read_string(m.pipe[0], 10).empty(), "pipe");
  check(read_string(m.packets[0], 100) == "one" && read_string(m.packets[0], 100) == "two and more", "packets");
  check(read_string(m.stream[1], 100) == "hello world", "stream");
  for (const char* text : {"first", "second one", "3"}) check(read_string(m.datagrams[1], 100) == text, text);
  check(read_string(m.sequence[0], 100) == "last words" && read_string(m.sequence[0], 10).empty(), "sequence");
  uint64_t one = 0;
  for (int i = 0; i < 7; i++) check(read(m.event, &one, 8) == 8 && one == 1, "event");
  check(read(m.event, &one, 8) < 0, "event's end");
  check(lseek(m.file, 0, SEEK_CUR) == 4, "position");
  check(!read_string(m.notify, 4096).empty(), "notification");
  check(accept(m.listener, nullptr, nullptr) >= 0, "connection that waited");
  if (m.own_ipc) {
    char buffer[100];
    check(msgrcv(m.queue, buffer, 90, 5, IPC_NOWAIT) == 6 && msgrcv(m.queue, buffer, 90, 6, IPC_NOWAIT) == 0, "queue");
  }
  return ok;
}

void child() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  make();
  const pid_t second = fork();
  if (second == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    // What both have, and something of its own under a number that means something else in the other.
    close(made->file);
    MUST(dup2(made->event, 200) == 200);
    for (;;) pause();
  }
  made->second = second;
  made->process = int(syscall(SYS_pidfd_open, second, 0));
  raise(SIGSTOP);
  store_release(made->verified, as_it_was() ? 1u : 2u);
  raise(SIGSTOP);
}

const Descriptor* find(const KernelObjects& o, pid_t pid, int fd) {
  for (const Descriptor& d : o.descriptors)
    if (d.pid == pid && d.fd == fd) return &d;
  return nullptr;
}

const OpenFile& file_of(const KernelObjects& o, int fd) {
  static const OpenFile none;
  const Descriptor* d = find(o, made->first, fd);
  EXPECT(d != nullptr, "descriptor %d is missing", fd);
  return d == nullptr ? none : o.files[d->file];
}

void compare(const KernelObjects& o) {
  const Made& m = *made;
  const auto index = [&](pid_t pid, int fd) {
    const Descriptor* d = find(o, pid, fd);
    return d == nullptr ? -1 : int64_t(d->file);
  };
  for (const std::string& text : o.missing) EXPECT(false, "%s", text.c_str());

  const OpenFile& file = file_of(o, m.file);
  EXPECT(file.kind == OpenFile::kFile && file.path == scratch + "/file" && file.position == 4 && !file.deleted, "%s",
         file.path.c_str());
  EXPECT((file.flags & (O_ACCMODE | O_APPEND)) == (O_RDWR | O_APPEND), "%o", file.flags);
  EXPECT(find(o, m.first, m.file)->cloexec && !find(o, m.first, m.duplicate)->cloexec, "close on exec");
  EXPECT(index(m.first, m.file) == index(m.first, m.duplicate), "a duplicate shares");
  EXPECT(index(m.first, m.file) == index(m.second, m.duplicate), "a fork's child shares");
  EXPECT(index(m.first, m.file) != index(m.first, m.again), "opened again does not");
  EXPECT(find(o, m.second, m.file) == nullptr, "closed in the second");
  EXPECT(file_of(o, m.deleted).deleted && file_of(o, m.deleted).path == scratch + "/gone", "%s",
         file_of(o, m.deleted).path.c_str());
  EXPECT(S_ISDIR(file_of(o, m.directory).mode) && file_of(o, m.directory).path == scratch, "directory");

  const OpenFile &in = file_of(o, m.pipe[0]), &out = file_of(o, m.pipe[1]);
  EXPECT(in.kind == OpenFile::kPipe && in.object == out.object && in.object >= 0, "pipe");
  const Pipe& pipe = o.pipes[size_t(in.object)];
  EXPECT(pipe.capacity == 1 << 18 && pipe.contents.size() == 1 && pipe.contents[0] == kLong, "%u, %zu pieces",
         pipe.capacity, pipe.contents.size());
  const Pipe& packets = o.pipes[size_t(file_of(o, m.packets[0]).object)];
  EXPECT((packets.contents == std::vector<std::string>{"one", "two and more"}), "%zu packets", packets.contents.size());
  const Pipe& half = o.pipes[size_t(file_of(o, m.writer_only).object)];
  EXPECT(half.contents == std::vector<std::string>{"unread"}, "%zu pieces", half.contents.size());

  const auto unix_of = [&](int fd) -> const UnixSocket& { return o.unix_sockets[size_t(file_of(o, fd).object)]; };
  const UnixSocket &left = unix_of(m.stream[0]), &right = unix_of(m.stream[1]);
  EXPECT(left.type == SOCK_STREAM && left.peer == right.ino && right.peer == left.ino && left.connected, "peers");
  EXPECT(left.received.empty() && right.received == std::vector<std::string>{"hello world"}, "%zu pieces",
         right.received.size());
  EXPECT((unix_of(m.datagrams[1]).received == std::vector<std::string>{"first", "second one", "3"}), "%zu messages",
         unix_of(m.datagrams[1]).received.size());
  EXPECT(unix_of(m.sequence[0]).received == std::vector<std::string>{"last words"} &&
             unix_of(m.sequence[1]).shut == 2 && unix_of(m.sequence[0]).shut == 1,
         "shut %d %d", unix_of(m.sequence[0]).shut, unix_of(m.sequence[1]).shut);
  const UnixSocket& listener = unix_of(m.listener);
  EXPECT(listener.listening && listener.waiting == 1 && listener.backlog == 5 && listener.address[0] == '\0' &&
             listener.address.substr(1, 19) == "understudy-describe",
         "%u waiting", listener.waiting);
  EXPECT(unix_of(m.connecting).connected && unix_of(m.connecting).peer_address == listener.address, "connecting");
  const InetSocket& tcp = o.inet_sockets[size_t(file_of(o, m.tcp).object)];
  sockaddr_in local{};
  memcpy(&local, tcp.local.data(), std::min(tcp.local.size(), sizeof local));
  EXPECT(tcp.family == AF_INET && tcp.protocol == IPPROTO_TCP && tcp.state == 10 && local.sin_port != 0, "state %u",
         tcp.state);

  EXPECT(
      file_of(o, m.event).kind == OpenFile::kEventfd && file_of(o, m.event).count == 7 && file_of(o, m.event).semaphore,
      "%llu", (unsigned long long)file_of(o, m.event).count);
  const OpenFile& timer = file_of(o, m.timer);
  EXPECT(timer.kind == OpenFile::kTimerfd && timer.clock == CLOCK_MONOTONIC && timer.interval_ns == 5000000500 &&
             timer.value_ns > 3500000000000 && timer.value_ns <= 3600000000000,
         "%llu %llu", (unsigned long long)timer.interval_ns, (unsigned long long)timer.value_ns);
  EXPECT(file_of(o, m.signals).signals == (1ull << (SIGUSR1 - 1) | 1ull << (SIGTERM - 1)), "%llx",
         (unsigned long long)file_of(o, m.signals).signals);
  const OpenFile& memory = file_of(o, m.memory);
  EXPECT(memory.kind == OpenFile::kMemfd && memory.path == "some memory" && memory.bytes == 12345 &&
             memory.seals == F_SEAL_GROW,
         "%s", memory.path.c_str());
  EXPECT(file_of(o, m.process).kind == OpenFile::kPidfd && file_of(o, m.process).target_pid == m.second, "%lld",
         (long long)file_of(o, m.process).target_pid);

  const OpenFile& set = file_of(o, m.set);
  EXPECT(set.kind == OpenFile::kEpoll && set.watched.size() == 3, "%zu", set.watched.size());
  int found = 0;
  for (const Watched& w : set.watched) {
    if (w.data == 0x1122334455667788) {
      found++;
      EXPECT(w.fd == m.event && w.file == index(m.first, m.event) && (w.events & EPOLLET) != 0, "%d", w.fd);
    } else if (w.data == 2) {
      found++;
      EXPECT(w.fd == m.pipe[1] && w.file == index(m.first, m.pipe[1]) && (w.events & EPOLLONESHOT) != 0, "%d", w.fd);
    } else if (w.data == 3) {
      found++;
      EXPECT(w.fd == m.closed_target && w.file == index(m.first, m.kept_target), "%d, %lld", w.fd, (long long)w.file);
    }
  }
  EXPECT(found == 3, "%d", found);
  const OpenFile& nested = file_of(o, m.nested);
  EXPECT(nested.watched.size() == 1 && nested.watched[0].file == index(m.first, m.set) &&
             find(o, m.first, m.nested)->cloexec,
         "nested");

  const OpenFile& notify = file_of(o, m.notify);
  struct stat st {};
  stat(scratch.c_str(), &st);
  EXPECT(notify.kind == OpenFile::kInotify && notify.watches.size() == 1 && notify.unread_bytes > 0, "%zu",
         notify.watches.size());
  if (!notify.watches.empty()) {
    const InotifyWatch& w = notify.watches[0];
    EXPECT(w.wd == m.wd && w.ino == st.st_ino && (w.mask & (IN_CREATE | IN_DELETE)) == (IN_CREATE | IN_DELETE) &&
               w.handle.size() > 4,
           "%d, %llu", w.wd, (unsigned long long)w.ino);
  }
  if (!m.own_ipc) return;
  EXPECT(o.segments.size() == 1 && o.segments[0].id == m.segment && o.segments[0].key == 0x1234 &&
             o.segments[0].bytes == 10000 && (o.segments[0].mode & 0777) == 0640,
         "%zu", o.segments.size());
  EXPECT(o.semaphores.size() == 1 && (o.semaphores[0].values == std::vector<uint16_t>{4, 0, 9}), "%zu",
         o.semaphores.size());
  EXPECT(o.queues.size() == 1 && o.queues[0].messages.size() == 2 && o.queues[0].messages[0].first == 5 &&
             o.queues[0].messages[0].second == "queued" && o.queues[0].messages[1].second.empty(),
         "%zu", o.queues.size());
}

}  // namespace

int main() {
  char dir[] = "/tmp/understudy-describe-test.XXXXXX";
  if (mkdtemp(dir) == nullptr) return 1;
  scratch = dir;
  made = static_cast<Made*>(mmap(nullptr, sizeof(Made), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  const pid_t pid = fork();
  if (pid == 0) {
    child();
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, WUNTRACED);
  if (!WIFSTOPPED(status)) return 1;
  // The second has its own number 200 by then.
  usleep(100000);
  const KernelObjects objects = describe({made->first, made->second});
  compare(objects);
  KernelObjects again;
  const std::string bytes = encode_objects(objects);
  EXPECT(decode_objects(bytes, &again) && encode_objects(again) == bytes, "msgpack");
  compare(again);
  for (size_t cut = 0; cut < bytes.size(); cut += 1 + bytes.size() / 500) {
    KernelObjects part;
    EXPECT(!decode_objects(std::string_view(bytes).substr(0, cut), &part), "cut to %zu bytes", cut);
  }
  kill(pid, SIGCONT);
  waitpid(pid, &status, WUNTRACED);
  EXPECT(made->verified == 1, "what was described is not what it was");
  kill(made->second, SIGKILL);
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  std::filesystem::remove_all(scratch);
  if (!made->own_ipc) fprintf(stderr, "no IPC namespace can be made here; System V objects were not looked at\n");
  return failures == 0 ? 0 : 1;
}
