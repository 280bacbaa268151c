// See describe.h.
#include "describe.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <memory>

#include "describe_parts.h"
#include "page_tracker.h"

namespace understudy::host::checkpoint {
namespace {

constexpr char kDeleted[] = " (deleted)";

struct KcmpEpollSlot {
  uint32_t efd, tfd, toff;
};

std::string proc(pid_t pid, const std::string& name) { return "/proc/" + std::to_string(pid) + "/" + name; }

// The lines of fdinfo that begin with `name`, each without it.
std::vector<std::string> lines_of(const std::string& text, const std::string& name) {
  std::vector<std::string> out;
  for (size_t at = 0; at < text.size();) {
    size_t end = text.find('\n', at);
    if (end == std::string::npos) end = text.size();
    if (text.compare(at, name.size(), name) == 0) out.push_back(text.substr(at + name.size(), end - at - name.size()));
    at = end + 1;
  }
  return out;
}

uint64_t number_of(const std::string& text, const std::string& name, int base) {
  const auto lines = lines_of(text, name);
  return lines.empty() ? 0 : strtoull(lines[0].c_str(), nullptr, base);
}

uint64_t time_of(const std::string& text, const std::string& name) {
  unsigned long long seconds = 0, ns = 0;
  const auto lines = lines_of(text, name);
  if (lines.empty() || sscanf(lines[0].c_str(), " (%llu, %llu)", &seconds, &ns) != 2) return 0;
  return seconds * 1000000000 + ns;
}

std::string from_hex(const char* text) {
  std::string out;
  for (unsigned byte; sscanf(text, "%2x", &byte) == 1 && text[1] != '\0'; text += 2) out += char(byte);
  return out;
}

void read_timer(const std::string& info, OpenFile* file) {
  file->clock = uint32_t(number_of(info, "clockid:", 10));
  file->ticks = number_of(info, "ticks:", 10);
  file->settime_flags = uint32_t(number_of(info, "settime flags:", 8));
  file->value_ns = time_of(info, "it_value:");
  file->interval_ns = time_of(info, "it_interval:");
}

void read_inotify(const std::string& info, int fd, OpenFile* file) {
  for (const std::string& line : lines_of(info, "inotify ")) {
    InotifyWatch watch;
    unsigned wd, mask, ignored, bytes, type;
    unsigned long long ino, dev;
    int handle = 0;
    if (sscanf(line.c_str(),
               "wd:%x ino:%llx sdev:%llx mask:%x ignored_mask:%x fhandle-bytes:%x fhandle-type:%x f_handle:%n", &wd,
               &ino, &dev, &mask, &ignored, &bytes, &type, &handle) < 5)
      continue;
    watch.wd = int32_t(wd);
    watch.ino = ino;
    watch.dev = dev;
    watch.mask = mask;
    if (handle > 0) {
      watch.handle.assign(reinterpret_cast<const char*>(&type), sizeof type);
      watch.handle += from_hex(line.c_str() + handle);
    }
    file->watches.push_back(watch);
  }
  int unread = 0;
  if (fd >= 0 && ioctl(fd, FIONREAD, &unread) == 0) file->unread_bytes = uint32_t(unread);
}

bool read_contents(int fd, OpenFile* file) {
  // By its own name: neither the position nor what may be done with this descriptor matters.
  const UniqueFd in(open(("/proc/self/fd/" + std::to_string(fd)).c_str(), O_RDONLY | O_CLOEXEC));
  if (!in) return false;
  uint64_t total = 0;
  for (off_t at = 0; (at = lseek(in.get(), at, SEEK_DATA)) >= 0 && uint64_t(at) < file->bytes;) {
    const auto from = uint64_t(at),
               to = std::min(uint64_t(std::max<off_t>(lseek(in.get(), at, SEEK_HOLE), at)), file->bytes);
    if (to <= from || (total += to - from) > kContentsMax) return false;
    std::string& bytes = file->contents.emplace_back(int64_t(from), std::string(to - from, '\0')).second;
    if (pread(in.get(), bytes.data(), bytes.size(), off_t(from)) != ssize_t(bytes.size())) return false;
    at = off_t(to);
  }
  return true;
}

// Of one process after the other; files that are there already are recognised.
class Gatherer {
 public:
  explicit Gatherer(KernelObjects* out) : out_(*out) {}

  void process(pid_t pid) {
    const std::string path = proc(pid, "fd");
    std::unique_ptr<DIR, int (*)(DIR*)> entries(opendir(path.c_str()), closedir);
    if (entries == nullptr)
      throw HostError("CHECKPOINT_READ", errno, path,
                      "cannot look at the descriptors of process " + std::to_string(pid) + ": " + errno_text(errno));
    std::vector<int> fds;
    while (const dirent* entry = readdir(entries.get()))
      if (entry->d_name[0] != '.') fds.push_back(atoi(entry->d_name));
    std::sort(fds.begin(), fds.end());
    process_ = UniqueFd(int(syscall(SYS_pidfd_open, pid, 0)));
    for (int fd : fds) descriptor(pid, fd);
  }

  // What the caller has as well, it was started with.
  void find_standard(const std::vector<int>& standard) {
    for (int mine : standard) {
      int64_t found = -1;
      struct stat st {};
      const bool open = mine >= 0 && fstat(mine, &st) == 0;
      for (size_t i = 0; open && i < out_.files.size() && found < 0; i++) {
        if (out_.files[i].ino != st.st_ino || out_.files[i].dev != st.st_dev) continue;
        const Descriptor& first = out_.descriptors[first_[i]];
        if (syscall(SYS_kcmp, getpid(), pid_t(first.pid), KCMP_FILE, mine, first.fd) == 0) found = int64_t(i);
      }
      out_.standard.push_back(found);
    }
  }

  // When all are known: what sets of one process watch may be open in another one only.
  void resolve_watched() {
    for (size_t i = 0; i < out_.files.size(); i++) {
      if (out_.files[i].kind != OpenFile::kEpoll) continue;
      const Descriptor& set = out_.descriptors[first_[i]];
      for (Watched& w : out_.files[i].watched) w.file = file_watched(set, out_.files[i], w);
    }
  }

 private:
  void descriptor(pid_t pid, int fd) {
    const std::string name = std::to_string(fd);
    std::string info;
    struct stat st {};
    char target[4096];
    const ssize_t length = readlink(proc(pid, "fd/" + name).c_str(), target, sizeof target);
    if (length < 0 || stat(proc(pid, "fd/" + name).c_str(), &st) != 0 ||
        !read_file(proc(pid, "fdinfo/" + name), &info)) {
      out_.missing.push_back("descriptor " + name + " of process " + std::to_string(pid) +
                             " cannot be looked at: " + errno_text(errno));
      return;
    }
    const auto flags = uint32_t(number_of(info, "flags:", 8));
    OpenFile file;
    file.flags = flags & ~uint32_t(O_CLOEXEC);
    file.position = int64_t(number_of(info, "pos:", 10));
    file.ino = st.st_ino;
    file.dev = st.st_dev;
    file.mode = st.st_mode;
    file.path.assign(target, size_t(length));
    Descriptor d{pid, fd, (flags & O_CLOEXEC) != 0, 0};
    d.file = known(d, file);
    if (d.file == out_.files.size()) {
      examine(pid, fd, info, &file);
      first_.push_back(out_.descriptors.size());
      out_.files.push_back(std::move(file));
    }
    for (const std::string& line : lines_of(info, "lock:")) note_lock(d, line);
    out_.descriptors.push_back(d);
  }

  // "1: POSIX  ADVISORY  WRITE 13 00:28:1234 0 EOF". Of a process's own ones fdinfo has those of this process; of the others, which are the open
  // file's, each descriptor has the same.
  void note_lock(const Descriptor& d, const std::string& line) {
    char kind[16], mode[16], access[16], end[24];
    long long start = 0;
    if (sscanf(line.c_str(), " %*d: %15s %15s %15s %*d %*s %lld %23s", kind, mode, access, &start, end) != 5) {
      out_.missing.push_back("a lock at descriptor " + std::to_string(d.fd) + " of process " + std::to_string(d.pid) +
                             " is told of in an unknown way");
      return;
    }
    const std::string name = kind;
    FileLock lock;
    lock.kind = name == "POSIX"    ? FileLock::kPosix
                : name == "FLOCK"  ? FileLock::kFlock
                : name == "OFDLCK" ? FileLock::kOpenFile
                                   : FileLock::kLease;
    lock.exclusive = strcmp(access, "WRITE") == 0;
    lock.file = d.file;
    lock.pid = d.pid;
    lock.fd = d.fd;
    lock.start = start;
    lock.length = strcmp(end, "EOF") == 0 ? 0 : strtoll(end, nullptr, 10) - start + 1;
    const bool there = std::any_of(out_.locks.begin(), out_.locks.end(), [&](const FileLock& other) {
      return other.kind == lock.kind && other.file == lock.file && other.start == lock.start &&
             other.length == lock.length && (lock.kind != FileLock::kPosix || other.pid == lock.pid);
    });
    if (!there) out_.locks.push_back(lock);
  }

  uint32_t known(const Descriptor& d, const OpenFile& file) const {
    for (size_t i = 0; i < out_.files.size(); i++) {
      const OpenFile& other = out_.files[i];
      // Only the kernel can tell whether it is the same; but it is asked for likely ones only.
      if (other.ino != file.ino || other.dev != file.dev || other.flags != file.flags) continue;
      const Descriptor& first = out_.descriptors[first_[i]];
      if (syscall(SYS_kcmp, pid_t(first.pid), pid_t(d.pid), KCMP_FILE, first.fd, d.fd) == 0) return uint32_t(i);
    }
    return uint32_t(out_.files.size());
  }

  void examine(pid_t pid, int fd, const std::string& info, OpenFile* file) {
    // Of the kernel's own: "pipe:[123]", "anon_inode:[eventpoll]", "/memfd:name (deleted)".
    const UniqueFd mine(int(syscall(SYS_pidfd_getfd, process_.get(), fd, 0)));
    std::string& path = file->path;
    const auto is = [&](const char* name) { return path == std::string("anon_inode:[") + name + "]"; };
    if (S_ISFIFO(file->mode)) {
      file->kind = OpenFile::kPipe;
      if (mine) describe_pipe(mine.get(), file->ino, file->flags, &out_, file);
      else missing(pid, fd, path);
    } else if (S_ISSOCK(file->mode)) {
      if (mine) describe_socket(mine.get(), file->ino, &out_, file);
      else missing(pid, fd, path);
    } else if (is("eventfd")) {
      file->kind = OpenFile::kEventfd;
      file->count = number_of(info, "eventfd-count:", 16);
      file->semaphore = number_of(info, "eventfd-semaphore:", 10) != 0;
    } else if (is("timerfd")) {
      file->kind = OpenFile::kTimerfd;
      read_timer(info, file);
    } else if (is("signalfd")) {
      file->kind = OpenFile::kSignalfd;
      file->signals = number_of(info, "sigmask:", 16);
    } else if (is("eventpoll")) {
      file->kind = OpenFile::kEpoll;
      for (const std::string& line : lines_of(info, "tfd:")) {
        Watched w;
        unsigned long long data;
        if (sscanf(line.c_str(), "%d events: %x data: %llx", &w.fd, &w.events, &data) != 3) continue;
        w.data = data;
        file->watched.push_back(w);
      }
    } else if (path == "anon_inode:inotify") {
      file->kind = OpenFile::kInotify;
      read_inotify(info, mine.get(), file);
      name_watched(pid, file);
    } else if (is("pidfd") || !lines_of(info, "Pid:").empty()) {
      file->kind = OpenFile::kPidfd;
      const auto lines = lines_of(info, "Pid:");
      file->target_pid = lines.empty() ? -1 : strtoll(lines[0].c_str(), nullptr, 10);
    } else if (path.starts_with("/memfd:")) {
      file->kind = OpenFile::kMemfd;
      path = path.substr(strlen("/memfd:"));
      if (path.ends_with(kDeleted)) path.resize(path.size() - strlen(kDeleted));
      const int seals = mine ? fcntl(mine.get(), F_GET_SEALS) : -1;
      file->seals = seals < 0 ? 0 : uint64_t(seals);
      struct stat st {};
      if (!mine || fstat(mine.get(), &st) != 0) return missing(pid, fd, path);
      file->bytes = uint64_t(st.st_size);
      if (!read_contents(mine.get(), file))
        out_.missing.push_back("memfd " + path + ", descriptor " + std::to_string(fd) + " of process " +
                               std::to_string(pid) + ", holds too much to be kept beside the memory");
    } else if (path[0] == '/') {
      file->kind = OpenFile::kFile;
      struct stat st {};
      // A name can end so without the file being deleted.
      file->deleted = path.ends_with(kDeleted) && mine && fstat(mine.get(), &st) == 0 && st.st_nlink == 0;
      if (file->deleted) path.resize(path.size() - strlen(kDeleted));
      if (S_ISREG(file->mode) && mine && fstat(mine.get(), &st) == 0) file->bytes = uint64_t(st.st_size);
    }
  }

  void missing(pid_t pid, int fd, const std::string& what) {
    out_.missing.push_back("what is in " + what + ", descriptor " + std::to_string(fd) + " of process " +
                           std::to_string(pid) + ", cannot be read: " + errno_text(errno));
  }

  int64_t file_watched(const Descriptor& set, const OpenFile& file, const Watched& w) const {
    // The same number may have been added with several files, one after the other: `toff` counts them.
    uint32_t offset = 0;
    for (const Watched& other : file.watched) {
      if (&other == &w) break;
      offset += other.fd == w.fd;
    }
    KcmpEpollSlot slot{uint32_t(set.fd), uint32_t(w.fd), offset};
    const auto is = [&](const Descriptor& d) {
      return syscall(SYS_kcmp, pid_t(d.pid), pid_t(set.pid), KCMP_EPOLL_TFD, d.fd, &slot) == 0;
    };
    // Most likely it is still open under the number that it was added with: a server has a thousand of them, and a question for each
    // pair would be the longest part of a pause.
    for (const Descriptor& d : out_.descriptors)
      if (d.fd == w.fd && is(d)) return d.file;
    for (const Descriptor& d : out_.descriptors)
      if (d.fd != w.fd && is(d)) return d.file;
    return -1;
  }

  KernelObjects& out_;
  std::vector<size_t> first_;  // for each file: one of its descriptors
  UniqueFd process_;           // that is being looked at
};

}  // namespace

bool same_namespace(pid_t pid, const char* which) {
  struct stat mine {
  }, other{};
  return stat((std::string("/proc/self/ns/") + which).c_str(), &mine) == 0 &&
         stat(proc(pid, std::string("ns/") + which).c_str(), &other) == 0 && mine.st_ino == other.st_ino &&
         mine.st_dev == other.st_dev;
}

int in_namespace_of(pid_t pid, const char* which, const std::function<void()>& f) {
  if (same_namespace(pid, which)) {
    f();
    return 0;
  }
  UniqueFd space(open(proc(pid, std::string("ns/") + which).c_str(), O_RDONLY | O_CLOEXEC));
  if (!space) return errno;
  int error = 0;
  // A namespace is a thread's own: entered by one that ends afterwards.
  start_thread("us-namespace", [&] {
    if (setns(space.get(), 0) == 0) f();
    else error = errno;
  }).join();
  return error;
}

KernelObjects describe(const std::vector<pid_t>& pids, const std::vector<int>& standard) {
  KernelObjects out;
  Gatherer gatherer(&out);
  for (pid_t pid : pids) gatherer.process(pid);
  for (pid_t pid : pids) describe_attributes(pid, &out);
  gatherer.find_standard(standard);
  gatherer.resolve_watched();
  if (!out.unix_sockets.empty()) describe_unix_peers(pids.front(), &out);
  if (!pids.empty()) describe_ipc(pids, &out);
  return out;
}

}  // namespace understudy::host::checkpoint
