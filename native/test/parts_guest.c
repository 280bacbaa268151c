// A guest for replica_test: writes that block half-way, to pipes and unix sockets, and all that can happen in their middle. A replica
// that goes live anywhere in between has to write the rest, and nothing twice. The result says what does not depend on time.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

// More than a pipe and a socket's buffer hold.
enum { kBig = 700000, kPipe = 65536 };

static char result[16384], data[kBig], box[kBig];
static int used, ends[2];
static const char* self;
static volatile sig_atomic_t signals;

static void say(const char* format, ...) {
  va_list list;
  va_start(list, format);
  used += vsnprintf(result + used, sizeof result - (size_t)used, format, list);
  va_end(list);
}

static void fail(const char* what) {
  perror(what);
  _exit(99);
}

static void open_ends(int sockets) {
  if (sockets ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends)) fail("ends");
}

// 1: the data came in full, and in order.
static int read_all(int fd, size_t step, size_t total) {
  size_t at = 0;
  for (ssize_t n; (n = read(fd, box + at, step < kBig - at ? step : kBig - at)) > 0;) at += (size_t)n;
  return at == total && memcmp(box, data, total) == 0;
}

static void wait_full(int fd, int bytes) {
  for (int have = 0; ioctl(fd, FIONREAD, &have) == 0 && have < bytes;) usleep(500);
}

static int ended(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0) {}
  return status;
}

static int told = -1;
static void on_signal(int sig) {
  (void)sig;
  signals++;
  if (told >= 0 && write(told, "h", 1) != 1) _exit(98);
}
static void catch_signal(int sig, int flags) {
  struct sigaction action = {.sa_handler = on_signal, .sa_flags = flags};
  sigaction(sig, &action, NULL);
}

// ---- ways to write -----------------------------------------------------------------------------------------------------
static int pieces_of(struct iovec* pieces, int count, size_t len) {
  size_t at = 0;
  for (int i = 0; i < count; i++) {
    size_t n = i + 1 == count ? len - at : (size_t)(i * 977 % 5000);
    pieces[i] = (struct iovec){data + at, n};
    at += n;
  }
  return count;
}
static ssize_t by_write(int fd, size_t len) { return write(fd, data, len); }
static ssize_t by_writev(int fd, size_t len) {
  struct iovec pieces[200];
  return writev(fd, pieces, pieces_of(pieces, 200, len));
}
static ssize_t by_pwritev2(int fd, size_t len) {
  struct iovec pieces[3];
  return pwritev2(fd, pieces, pieces_of(pieces, 3, len), -1, 0);
}
static ssize_t by_send(int fd, size_t len) { return send(fd, data, len, MSG_NOSIGNAL); }
static ssize_t by_sendmsg(int fd, size_t len) {
  struct iovec pieces[40];
  struct msghdr message = {.msg_iov = pieces, .msg_iovlen = (size_t)pieces_of(pieces, 40, len)};
  return sendmsg(fd, &message, 0);
}

typedef ssize_t Writer(int fd, size_t len);
static void whole(const char* name, int sockets, Writer* writer, size_t step) {
  open_ends(sockets);
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    _exit(writer(ends[1], kBig) == kBig ? 3 : 4);
  }
  close(ends[1]);
  int right = read_all(ends[0], step, kBig);
  close(ends[0]);
  say("%s: %d %x\n", name, right, ended(child));
}

// ---- reading ------------------------------------------------------------------------------------------------------------
// Descriptors come along with the first byte, and only once.
static void passed(void) {
  open_ends(1);
  int inner[2];
  if (pipe(inner)) fail("pipe");
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    union {
      char bytes[CMSG_SPACE(sizeof(int))];
      struct cmsghdr align;
    } control;
    memset(&control, 0, sizeof control);
    struct iovec piece = {data, kBig};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    struct cmsghdr* head = CMSG_FIRSTHDR(&message);
    *head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(head), &inner[1], sizeof(int));
    _exit(sendmsg(ends[1], &message, 0) == kBig ? 3 : 4);
  }
  close(ends[1]);
  close(inner[1]);
  size_t at = 0;
  int came = 0;
  for (;;) {
    union {
      char bytes[CMSG_SPACE(sizeof(int))];
      struct cmsghdr align;
    } control;
    struct iovec piece = {box + at, kBig - at < 9000 ? kBig - at : 9000};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(ends[0], &message, 0);
    if (n <= 0) break;
    at += (size_t)n;
    struct cmsghdr* head = message.msg_controllen ? CMSG_FIRSTHDR(&message) : NULL;
    if (head == NULL) continue;
    int fd;
    memcpy(&fd, CMSG_DATA(head), sizeof fd);
    came++;
    if (write(fd, "through", 7) != 7) fail("write");
    close(fd);
  }
  char text[8] = "";
  ssize_t n = read(inner[0], text, 7);
  close(inner[0]);
  close(ends[0]);
  say("descriptor: %d %d %zd %s %x\n", at == kBig && memcmp(box, data, kBig) == 0, came, n, text, ended(child));
}

static void all_at_once(void) {
  open_ends(1);
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    ssize_t a = write(ends[1], data, 300000), b = send(ends[1], data + 300000, kBig - 300000, 0);
    _exit(a == 300000 && b == kBig - 300000 ? 3 : 4);
  }
  close(ends[1]);
  ssize_t a = recv(ends[0], box, 100, 0), b = recv(ends[0], box + 100, kBig - 100, MSG_WAITALL);
  close(ends[0]);
  say("waitall: %zd %zd %d %x\n", a, b, memcmp(box, data, kBig), ended(child));
}

// ---- several writers ------------------------------------------------------------------------------------------------------
static void several(int sockets, size_t record, int times) {
  open_ends(sockets);
  pid_t children[3];
  for (int i = 0; i < 3; i++) {
    children[i] = fork();
    if (children[i] != 0) continue;
    close(ends[0]);
    memset(box, 'a' + i, record);
    for (int k = 0; k < times; k++)
      if (write(ends[1], box, record) != (ssize_t)record) _exit(4);
    _exit(3);
  }
  close(ends[1]);
  size_t counts[3] = {0}, at = 0;
  int torn = 0;
  for (ssize_t n; (n = read(ends[0], box, 7001)) > 0;)
    for (ssize_t i = 0; i < n; i++, at++) {
      static char first;
      if (at % record == 0) first = box[i];
      if (record <= 4096 && box[i] != first) torn++;
      if (box[i] >= 'a' && box[i] <= 'c') counts[box[i] - 'a']++;
    }
  close(ends[0]);
  say("several: %zu %zu %zu torn %d", counts[0], counts[1], counts[2], torn);
  for (int i = 0; i < 3; i++) say(" %x", ended(children[i]));
  say("\n");
}

static void* write_thread(void* arg) { return (void*)(write(*(int*)arg, data, kBig) == kBig ? "all" : "not all"); }
static void threads(int sockets) {
  open_ends(sockets);
  pthread_t thread;
  pthread_create(&thread, NULL, write_thread, &ends[1]);
  size_t at = 0;
  while (at < kBig) {
    ssize_t n = read(ends[0], box + at, kBig - at < 20000 ? kBig - at : 20000);
    if (n <= 0) break;
    at += (size_t)n;
  }
  void* said;
  pthread_join(thread, &said);
  close(ends[0]);
  close(ends[1]);
  say("threads: %zu %d %s\n", at, memcmp(box, data, kBig), (char*)said);
}

// ---- ends in the middle --------------------------------------------------------------------------------------------------
static void reader_leaves(int sockets, int ignored) {
  open_ends(sockets);
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    signal(SIGPIPE, ignored ? SIG_IGN : SIG_DFL);
    ssize_t n = write(ends[1], data, kBig);
    int part = n >= 100000 && n < kBig;
    // What is left over of the peer's going away may be told once (ECONNRESET); then the pipe is broken.
    signal(SIGPIPE, SIG_IGN);
    ssize_t m = write(ends[1], data, 10);
    _exit(part + (m == -1 && errno == EPIPE ? 2 : 0));
  }
  close(ends[1]);
  for (size_t at = 0; at < 100000;) {
    ssize_t n = read(ends[0], box, 100000 - at);
    if (n <= 0) break;
    at += (size_t)n;
  }
  wait_full(ends[0], 60000);
  close(ends[0]);
  say("reader leaves: %x\n", ended(child));
}

static void writer_killed(void) {
  open_ends(0);
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    _exit((int)write(ends[1], data, kBig));
  }
  close(ends[1]);
  wait_full(ends[0], kPipe);
  kill(child, SIGKILL);
  int status = ended(child);
  say("killed: %d %x\n", read_all(ends[0], 30000, kPipe), status);
  close(ends[0]);
}

static void signalled(int flags) {
  open_ends(0);
  int back[2];
  if (pipe(back)) fail("pipe");
  pid_t child = fork();
  if (child == 0) {
    catch_signal(SIGUSR1, flags);
    ssize_t n = write(ends[1], data, kBig);
    int length = dprintf(back[1], "%zd %d", n, signals);
    ssize_t m = write(ends[1], data + kPipe, kBig - kPipe);
    _exit(length > 0 && m == kBig - kPipe ? 3 : 4);
  }
  close(ends[1]);
  close(back[1]);
  wait_full(ends[0], kPipe);
  kill(child, SIGUSR1);
  char text[64] = "";
  if (read(back[0], text, sizeof text - 1) <= 0) fail("read");
  say("signal: %s %d", text, read_all(ends[0], 50000, kBig));
  say(" %x\n", ended(child));
  close(ends[0]);
  close(back[0]);
}

// Nothing has been written yet: the call is interrupted, or begins again.
static void signalled_early(int flags) {
  open_ends(0);
  int back[2];
  if (pipe(back)) fail("pipe");
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  size_t filled = 0;
  for (ssize_t n; (n = write(ends[1], data + filled, 10000)) > 0;) filled += (size_t)n;
  int again = errno == EAGAIN;
  fcntl(ends[1], F_SETFL, 0);
  pid_t child = fork();
  if (child == 0) {
    told = back[1];
    catch_signal(SIGUSR2, flags);
    on_signal(0);
    close(ends[0]);
    ssize_t n = write(ends[1], data + filled, kBig - filled);
    _exit(n < 0 ? (errno == EINTR ? 3 : 4) : n == (ssize_t)(kBig - filled) ? 5 : 6);
  }
  close(ends[1]);
  close(back[1]);
  char c;
  int status = 0;
  if (flags) {
    // One that were still on its way when there is room again would cut the write short.
    for (int i = 0; read(back[0], &c, 1) == 1 && i < 5; i++) {
      usleep(2000);
      kill(child, SIGUSR2);
    }
    int right = read_all(ends[0], 60000, kBig);
    status = ended(child);
    say("early, restarted: %zu %d %d %x\n", filled, again, right, status);
  } else {
    while (waitpid(child, &status, WNOHANG) == 0) {
      kill(child, SIGUSR2);
      usleep(3000);
    }
    say("early: %zu %d %x\n", filled, again, status);
  }
  close(ends[0]);
  close(back[0]);
}

static void not_blocking(int sockets) {
  open_ends(sockets);
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  pid_t child = fork();
  if (child == 0) {
    close(ends[1]);
    for (;;) pause();
  }
  ssize_t n = write(ends[1], data, kBig), m = write(ends[1], data, kBig);
  say("nonblocking: %d %zd %d\n", n > 0 && n < kBig, m, errno == EAGAIN);
  close(ends[1]);
  say("there: %d\n", read_all(ends[0], 3000, (size_t)n));
  kill(child, SIGKILL);
  ended(child);
  close(ends[0]);
}

static void limited(void) {
  open_ends(1);
  struct timeval limit = {0, 30000};
  setsockopt(ends[1], SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  pid_t child = fork();
  if (child == 0)
    for (;;) pause();
  ssize_t n = write(ends[1], data, kBig);
  ssize_t m = send(ends[1], data, kBig, 0);
  say("limited: %d %zd %d\n", n > 0 && n < kBig, m, errno == EAGAIN);
  kill(child, SIGKILL);
  ended(child);
  close(ends[1]);
  size_t at = 0;
  for (ssize_t k; (k = read(ends[0], box, 40000)) > 0;) at += (size_t)k;
  say("left: %d\n", (ssize_t)at == n);
  close(ends[0]);
}

// An abstract name, of this run only: tests may run side by side, and a replica on the machine on which the recording was.
static struct sockaddr_un name_of(const char* what, socklen_t* len) {
  struct sockaddr_un name = {.sun_family = AF_UNIX};
  const char* path = getenv("OUT");
  int n = snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "%s-%s", what, path == NULL ? "" : path);
  *len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
  return name;
}

// ---- other ways to each other ----------------------------------------------------------------------------------------------
static void connected(void) {
  socklen_t len;
  const struct sockaddr_un name = name_of("connected", &len);
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr*)&name, len) || listen(listener, 5)) fail("bind");
  pid_t child = fork();
  if (child == 0) {
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr*)&name, len)) fail("connect");
    _exit(by_writev(fd, kBig) == kBig ? 3 : 4);
  }
  int fd = accept(listener, NULL, NULL);
  int right = read_all(fd, 33333, kBig);
  close(fd);
  close(listener);
  say("connected: %d %x\n", right, ended(child));
}

// A pipeline, as a shell makes it: what writes has got its pipe across an execve.
static void pipeline(void) {
  open_ends(0);
  pid_t child = fork();
  if (child == 0) {
    dup2(ends[1], 1);
    close(ends[0]);
    close(ends[1]);
    execl(self, self, "emit", (char*)NULL);
    _exit(9);
  }
  close(ends[1]);
  int right = read_all(ends[0], 25000, kBig);
  close(ends[0]);
  say("pipeline: %d %x\n", right, ended(child));
}

static void narrow(void) {
  open_ends(0);
  int size = fcntl(ends[1], F_SETPIPE_SZ, 4096);
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    _exit(write(ends[1], data, 100000) == 100000 ? 3 : 4);
  }
  close(ends[1]);
  int right = read_all(ends[0], 100000, 100000);
  close(ends[0]);
  say("narrow: %d %d %x\n", size, right, ended(child));
}

// ---- data that the program does not see ------------------------------------------------------------------------------------
static int data_file(void) {
  char name[300];
  snprintf(name, sizeof name, "%s-data", getenv("OUT") == NULL ? "/tmp/parts" : getenv("OUT"));
  int fd = open(name, O_CREAT | O_TRUNC | O_RDWR, 0600);
  if (fd < 0 || write(fd, data, kBig) != kBig || lseek(fd, 0, SEEK_SET) != 0) fail(name);
  unlink(name);
  return fd;
}

// Each call may give less than is asked for.
static int by_sendfile(int fd, int file) {
  for (size_t at = 0; at < kBig;) {
    ssize_t n = sendfile(fd, file, NULL, kBig - at);
    if (n <= 0) return 0;
    at += (size_t)n;
  }
  return lseek(file, 0, SEEK_CUR) == kBig;
}
static int by_splice(int fd, int file) {
  off_t at = 0;
  while (at < kBig)
    if (splice(file, &at, fd, NULL, kBig - (size_t)at, 0) <= 0) return 0;
  return 1;
}
static int by_vmsplice(int fd, int file) {
  (void)file;
  for (size_t at = 0; at < kBig;) {
    struct iovec piece = {data + at, kBig - at};
    ssize_t n = vmsplice(fd, &piece, 1, 0);
    if (n <= 0) return 0;
    at += (size_t)n;
  }
  return 1;
}

static void moved(const char* name, int (*mover)(int, int)) {
  int file = data_file();
  open_ends(0);
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    _exit(mover(ends[1], file) ? 3 : 4);
  }
  close(ends[1]);
  int right = read_all(ends[0], 40000, kBig);
  close(ends[0]);
  close(file);
  say("%s: %d %x\n", name, right, ended(child));
}

// From a pipe through another one, and through a socket.
static void passed_on(void) {
  int middle[2], sockets[2];
  open_ends(0);
  if (pipe(middle) || socketpair(AF_UNIX, SOCK_STREAM, 0, sockets)) fail("ends");
  pid_t writer = fork();
  if (writer == 0) _exit(write(ends[1], data, kBig) == kBig ? 3 : 4);
  pid_t first = fork();
  if (first == 0) {
    ssize_t n;
    close(ends[1]);
    while ((n = splice(ends[0], NULL, middle[1], NULL, 30000, 0)) > 0) {}
    _exit(n == 0 ? 3 : 4);
  }
  close(middle[1]);
  pid_t second = fork();
  if (second == 0) {
    ssize_t n;
    close(ends[1]);
    while ((n = splice(middle[0], NULL, sockets[1], NULL, 50000, 0)) > 0) {}
    _exit(n == 0 ? 3 : 4);
  }
  close(ends[0]);
  close(ends[1]);
  close(middle[0]);
  close(sockets[1]);
  int right = read_all(sockets[0], 20000, kBig);
  close(sockets[0]);
  say("passed on: %d %x", right, ended(writer));
  say(" %x", ended(first));
  say(" %x\n", ended(second));
}

static void teed(void) {
  int other[2];
  open_ends(0);
  if (pipe(other)) fail("pipe");
  pid_t writer = fork();
  if (writer == 0) _exit(write(ends[1], data, 200000) == 200000 ? 3 : 4);
  close(ends[1]);
  size_t at = 0;
  int same = 1;
  for (ssize_t n; (n = tee(ends[0], other[1], 10000, 0)) > 0; at += (size_t)n) {
    static char a[10000], b[10000];
    ssize_t one = 0, two = 0;
    while (one < n) one += read(ends[0], a + one, (size_t)(n - one));
    while (two < n) two += read(other[0], b + two, (size_t)(n - two));
    same = same && memcmp(a, b, (size_t)n) == 0 && memcmp(a, data + at, (size_t)n) == 0;
  }
  close(ends[0]);
  close(other[0]);
  close(other[1]);
  say("tee: %zu %d %x\n", at, same, ended(writer));
}

static void messages(int type, int named) {
  socklen_t len;
  const struct sockaddr_un name = name_of("messages", &len);
  if (socketpair(AF_UNIX, type, 0, ends)) fail("socketpair");
  if (named) {
    close(ends[0]);
    close(ends[1]);
    ends[0] = socket(AF_UNIX, type, 0);
    ends[1] = socket(AF_UNIX, type, 0);
    if (bind(ends[0], (struct sockaddr*)&name, len)) fail("bind");
  }
  pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    for (int i = 0; i < 60; i++)
      if (sendto(ends[1], data + i, 3000, 0, named ? (struct sockaddr*)&name : NULL, named ? len : 0) != 3000) _exit(4);
    _exit(3);
  }
  int right = 0;
  for (int i = 0; i < 60; i++) right += read(ends[0], box, 5000) == 3000 && memcmp(box, data + i, 3000) == 0;
  close(ends[0]);
  close(ends[1]);
  say("messages: %d %x\n", right, ended(child));
}

int main(int argc, char** argv) {
  self = argv[0];
  for (size_t i = 0; i < kBig; i++) data[i] = (char)(i * 7 + i / 256);
  if (argc > 1 && strcmp(argv[1], "emit") == 0) return write(1, data, kBig) == kBig ? 3 : 4;
  const char* only = getenv("SCENE");
  const char* path = getenv("OUT");
  int fd = path == NULL ? 1 : open(path, O_CREAT | O_WRONLY, 0666);
  int scene = 0;
  // A child that has not come far enough to catch it must not be killed by it.
  signal(SIGUSR2, SIG_IGN);
#define SCENE(call)                                \
  do {                                             \
    scene++;                                       \
    if (only == NULL || atoi(only) == scene) call; \
  } while (0)
  SCENE(whole("pipe", 0, by_write, 5000));
  SCENE(whole("pipe, writev", 0, by_writev, 200000));
  SCENE(whole("pipe, pwritev2", 0, by_pwritev2, 50000));
  SCENE(whole("socket", 1, by_write, 5000));
  SCENE(whole("socket, writev", 1, by_writev, 200000));
  SCENE(whole("socket, send", 1, by_send, 60000));
  SCENE(whole("socket, sendmsg", 1, by_sendmsg, 70000));
  SCENE(passed());
  SCENE(all_at_once());
  SCENE(several(0, 200000, 1));
  SCENE(several(0, 512, 300));
  SCENE(several(1, 100000, 3));
  SCENE(threads(0));
  SCENE(threads(1));
  SCENE(reader_leaves(0, 1));
  SCENE(reader_leaves(0, 0));
  SCENE(reader_leaves(1, 1));
  SCENE(reader_leaves(1, 0));
  SCENE(writer_killed());
  SCENE(signalled(0));
  SCENE(signalled(SA_RESTART));
  SCENE(signalled_early(0));
  SCENE(signalled_early(SA_RESTART));
  SCENE(not_blocking(0));
  SCENE(not_blocking(1));
  SCENE(limited());
  SCENE(connected());
  SCENE(pipeline());
  SCENE(narrow());
  SCENE(messages(SOCK_SEQPACKET, 0));
  SCENE(messages(SOCK_DGRAM, 0));
  SCENE(messages(SOCK_DGRAM, 1));
  SCENE(moved("sendfile", by_sendfile));
  SCENE(moved("splice", by_splice));
  SCENE(moved("vmsplice", by_vmsplice));
  SCENE(passed_on());
  SCENE(teed());
  return write(fd, result, (size_t)used) == used ? 5 : 1;
}
