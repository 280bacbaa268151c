// See descriptor_plan.h.
#include "descriptor_plan.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include <algorithm>

#include "common.h"
#include "rights_plan.h"

namespace understudy::host::checkpoint {
namespace {

constexpr uint32_t kSettable = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT | O_NOATIME;  // by F_SETFL
constexpr uint32_t kOnce = O_CREAT | O_EXCL | O_TRUNC | O_CLOEXEC;
constexpr uint32_t kListen = 10;                // TCP_LISTEN
constexpr uint32_t kClosed = 7;                 // TCP_CLOSE
constexpr uint64_t kSetNextWatch = 0x40044900;  // INOTIFY_IOC_SETNEXTWD
constexpr uint64_t kSetTicks = 0x40085400;      // TFD_IOC_SET_TICKS
constexpr uint32_t kDefaultPipe = 65536;

class Planner {
 public:
  Planner(const KernelObjects& objects, const DescriptorOptions& options, PlanBytes* bytes, DescriptorPlan* out)
      : o_(objects), options_(options), bytes_(*bytes), out_(*out), number_(objects.files.size(), -1) {}

  void run() {
    choose_numbers();
    for (size_t i = 0; i < o_.standard.size(); i++)
      if (const int64_t file = o_.standard[i]; file >= 0 && number_[size_t(file)] >= 0 && !done_[size_t(file)]) {
        must("keep the standard input, output or error", SYS_dup3, {i, n(size_t(file)), O_CLOEXEC});
        done_[size_t(file)] = true;
      }
    must("close the descriptors that it began with", SYS_close_range, {0, 2, 0});
    for (size_t i = 0; i < o_.files.size(); i++)
      if (is_listener(i)) make(i);
    for (size_t i = 0; i < o_.files.size(); i++) make(i);
    connect_waiting();
    fill();
    for (size_t i = 0; i < o_.files.size(); i++)
      if (made_[i] && (o_.files[i].flags & kSettable) != 0)
        must("set the flags of " + name_of(i), SYS_fcntl, {n(i), F_SETFL, o_.files[i].flags & kSettable});
    for (const Descriptor& d : o_.descriptors) place(d);
    for (size_t i = 0; i < o_.files.size(); i++)
      if (number_[i] >= 0 && o_.files[i].kind == OpenFile::kEpoll) watch(i);
    for (const FileLock& lock : o_.locks) take_lock(lock);
    // What every process of the replica begins with is this process's.
    describe_attributes(getpid(), &host_);
    for (const ProcessAttributes& a : o_.processes) {
      attributes(a);
      timers(a);
    }
    raise_limit();
  }

 private:
  using Args = std::vector<uint64_t>;

  // ---- numbers --------------------------------------------------------------------------------------------------------------
  void choose_numbers() {
    int32_t highest = 2;
    for (const Descriptor& d : o_.descriptors)
      if (d.fd != options_.guest_fd) highest = std::max(highest, d.fd);
    for (const OpenFile& file : o_.files)
      for (const Watched& w : file.watched) highest = std::max(highest, w.fd);
    out_.first_number = next_ = highest + 1;
    done_.resize(o_.files.size());
    made_.resize(o_.files.size());
    for (const Descriptor& d : o_.descriptors)
      // Others of the group's than the agent's own.
      if (d.fd != options_.guest_fd && number_[d.file] < 0) number_[d.file] = new_number();
  }
  int32_t new_number() {
    if (next_ == options_.guest_fd) next_++;
    return next_++;
  }
  uint64_t n(size_t file) const { return uint64_t(number_[file]); }

  // "PATH (descriptor 5 of process 12)"
  std::string name_of(size_t file) const {
    const OpenFile& f = o_.files[file];
    static const char* const kinds[] = {"",           "a pipe",    "a unix socket", "a socket",
                                        "an eventfd", "a timerfd", "a signalfd",    "an epoll set",
                                        "an inotify", "a pidfd",   "memfd ",        ""};
    std::string text = kinds[f.kind];
    if (f.kind == OpenFile::kFile || f.kind == OpenFile::kMemfd || f.kind == OpenFile::kOther) text += f.path;
    for (const Descriptor& d : o_.descriptors)
      if (d.file == file && d.fd != options_.guest_fd)
        return text + " (descriptor " + std::to_string(d.fd) + " of process " + std::to_string(d.pid) + ")";
    return text;
  }
  [[noreturn]] void unsupported(size_t file, const std::string& why) const {
    throw HostError("CHECKPOINT_UNSUPPORTED", ENOTSUP, o_.files[file].path,
                    "what was open cannot be made again: " + name_of(file) + " " + why);
  }
  void warn(size_t file, const std::string& what) { out_.warnings.push_back(name_of(file) + " " + what); }

  // ---- steps ----------------------------------------------------------------------------------------------------------------
  abi::RestoreStep& add(std::vector<abi::RestoreStep>* to, const std::string& what, long nr, const Args& args,
                        uint32_t outcome) {
    abi::RestoreStep step{};
    step.nr = uint32_t(nr);
    step.outcome = outcome;
    std::copy(args.begin(), args.end(), step.args);
    step.text = bytes_.put_text("cannot " + what);
    to->push_back(step);
    return to->back();
  }
  abi::RestoreStep& must(const std::string& what, long nr, const Args& args, uint32_t outcome = abi::kStepMust) {
    return add(&out_.steps, what, nr, args, outcome);
  }
  void point(abi::RestoreStep& step, unsigned arg, const void* data, size_t len) {
    step.args[arg] = bytes_.put(data, len, 8);
    step.in_plan |= 1u << arg;
  }
  // The descriptor that the call returns becomes `number`.
  abi::RestoreStep& makes(int32_t number, const std::string& what, long nr, const Args& args) {
    abi::RestoreStep& step = must(what, nr, args, abi::kStepMakes);
    step.makes[0] = number;
    step.cloexec = 1;
    return step;
  }
  void makes_two(int32_t a, int32_t b, const std::string& what, long nr, const Args& args, unsigned where) {
    abi::RestoreStep& step = must(what, nr, args, abi::kStepMakesTwo);
    step.makes[0] = a;
    step.makes[1] = b;
    step.expected = where;
  }
  void send(const std::string& what, uint64_t to, const std::string& data, bool socket) {
    abi::RestoreStep& step = socket ? must(what, SYS_sendto, {to, 0, data.size(), MSG_DONTWAIT | MSG_NOSIGNAL, 0, 0},
                                           abi::kStepExactly)
                                    : must(what, SYS_write, {to, 0, data.size()}, abi::kStepExactly);
    step.expected = int64_t(data.size());
    point(step, 1, data.data(), data.size());
  }
  void open_path(int32_t number, const std::string& what, const std::string& path, uint64_t flags) {
    abi::RestoreStep& step = makes(number, what, SYS_open, {0, flags, 0});
    point(step, 0, path.c_str(), path.size() + 1);
  }

  // ---- each kind ------------------------------------------------------------------------------------------------------------
  void make(size_t i) {
    if (number_[i] < 0 || done_[i]) return;
    done_[i] = true;
    const OpenFile& f = o_.files[i];
    made_[i] = f.kind != OpenFile::kFile;
    switch (f.kind) {
      case OpenFile::kFile: return make_file(i);
      case OpenFile::kPipe: return make_pipe(i);
      case OpenFile::kUnix: return make_unix(i);
      case OpenFile::kInet: return make_inet(i);
      case OpenFile::kEventfd: {
        makes(number_[i], "make " + name_of(i), SYS_eventfd2, {0, f.semaphore ? uint64_t(EFD_SEMAPHORE) : 0});
        if (f.count == 0) return;
        return send("fill " + name_of(i), n(i), std::string(reinterpret_cast<const char*>(&f.count), 8), false);
      }
      case OpenFile::kTimerfd: return make_timer(i);
      case OpenFile::kSignalfd:
        return point(makes(number_[i], "make " + name_of(i), SYS_signalfd4, {~0ull, 0, 8, 0}), 1, &f.signals, 8);
      case OpenFile::kEpoll: makes(number_[i], "make " + name_of(i), SYS_epoll_create1, {0}); return;
      case OpenFile::kInotify: return make_inotify(i);
      case OpenFile::kMemfd: return make_memfd(i);
      case OpenFile::kPidfd:
        made_[i] = false;  // by each process that has one: it is of a process that is not there yet
        if (!options_.true_pids) unsupported(i, "refers to a process that gets another number");
        if (f.target_pid <= 0) unsupported(i, "refers to a process that has ended or is not of the group");
        return;
      case OpenFile::kOther: unsupported(i, "is of a kind that cannot be made again");
    }
  }

  // As agent/src/storage.cc.
  bool on_shared_storage(const std::string& path) const {
    for (size_t at = 0; at < options_.shared_paths.size();) {
      const size_t end = options_.shared_paths.find('\n', at);
      const std::string prefix = options_.shared_paths.substr(at, end - at);
      if (!prefix.empty() && path.starts_with(prefix) &&
          (path.size() == prefix.size() || prefix.back() == '/' || path[prefix.size()] == '/'))
        return true;
      if (end == std::string::npos) break;
      at = end + 1;
    }
    return false;
  }

  void make_file(size_t i) {
    const OpenFile& f = o_.files[i];
    if (f.deleted) unsupported(i, "has been deleted; its contents are not part of a checkpoint");
    const uint64_t flags = f.flags & ~kOnce;
    if (on_shared_storage(f.path)) {
      char head[64];
      snprintf(head, sizeof head, "understudy:0x%lx:", (unsigned long)flags);
      const std::string name = head + f.path;
      if (name.size() >= 245) unsupported(i, "has too long a path for a file on shared storage");
      point(makes(number_[i], "make the placeholder of " + name_of(i), SYS_memfd_create, {0, MFD_CLOEXEC}), 0,
            name.c_str(), name.size() + 1);
    } else {
      open_path(number_[i], "open " + name_of(i), f.path, flags | O_NOCTTY);
    }
    if ((S_ISREG(f.mode) || S_ISDIR(f.mode)) && f.position != 0)
      must("position " + name_of(i), SYS_lseek, {n(i), uint64_t(f.position), SEEK_SET}, abi::kStepExactly)
          .expected = f.position;
  }

  void make_pipe(size_t first) {
    const int64_t object = o_.files[first].object;
    const Pipe& pipe = o_.pipes[size_t(object)];
    const std::string what = name_of(first), &path = o_.files[first].path;
    const bool named = path[0] == '/';
    int32_t in = -1, out = -1;
    std::vector<size_t> others;
    for (size_t i = first; i < o_.files.size(); i++) {
      if (o_.files[i].kind != OpenFile::kPipe || o_.files[i].object != object || number_[i] < 0) continue;
      if (done_[i] && i != first) continue;  // the standard input or output
      done_[i] = made_[i] = true;
      const uint32_t access = o_.files[i].flags & O_ACCMODE;
      if (!named && access == O_RDONLY && in < 0) in = number_[i];
      else if (!named && access == O_WRONLY && out < 0) out = number_[i];
      else others.push_back(i);
    }
    if (in < 0) in = new_number();
    if (out < 0) out = new_number();
    if (named) {
      // Both ways, which does not wait for the other end.
      open_path(in, "open " + path + ", " + what, path, O_RDWR | O_NONBLOCK);
      must("keep " + what, SYS_dup3, {uint64_t(in), uint64_t(out), O_CLOEXEC});
    } else {
      makes_two(in, out, "make " + what, SYS_pipe2, {0, O_NONBLOCK | O_CLOEXEC}, 0);
    }
    for (size_t i : others)
      open_path(number_[i], "open another end of " + what, named ? path : "/proc/self/fd/" + std::to_string(in),
                (o_.files[i].flags & O_ACCMODE) | O_NONBLOCK);
    if (pipe.capacity != kDefaultPipe && pipe.capacity != 0)
      must("set the capacity of " + what, SYS_fcntl, {uint64_t(out), F_SETPIPE_SZ, pipe.capacity});
    // Packets stay packets.
    if (pipe.contents.size() > 1)
      must("set the flags of " + what, SYS_fcntl, {uint64_t(out), F_SETFL, O_NONBLOCK | O_DIRECT});
    for (const std::string& piece : pipe.contents)
      if (!piece.empty()) send("fill " + what, uint64_t(out), piece, false);
    // Without the flags that they had until here, whatever these are.
    for (size_t i = 0; i < o_.files.size(); i++)
      if (made_[i] && o_.files[i].kind == OpenFile::kPipe && o_.files[i].object == object)
        must("set the flags of " + what, SYS_fcntl, {n(i), F_SETFL, o_.files[i].flags & kSettable});
  }

  void make_timer(size_t i) {
    const OpenFile& f = o_.files[i];
    makes(number_[i], "make " + name_of(i), SYS_timerfd_create, {f.clock, 0});
    constexpr uint64_t kSecond = 1'000'000'000;
    // What is left, whatever it was set to.
    const uint64_t value[4] = {f.interval_ns / kSecond, f.interval_ns % kSecond, f.value_ns / kSecond,
                               f.value_ns % kSecond};
    if (f.value_ns != 0 || f.interval_ns != 0)
      point(must("set " + name_of(i), SYS_timerfd_settime, {n(i), 0, 0, 0}), 2, value, sizeof value);
    if (f.ticks != 0)
      point(must("have " + name_of(i) + " expire (CONFIG_CHECKPOINT_RESTORE)", SYS_ioctl, {n(i), kSetTicks, 0}), 2,
            &f.ticks, 8);
  }

  void make_inotify(size_t i) {
    const OpenFile& f = o_.files[i];
    makes(number_[i], "make " + name_of(i), SYS_inotify_init1, {0});
    if (f.unread_bytes != 0) warn(i, "loses events that were not read");
    for (const InotifyWatch& w : f.watches) {
      if (w.path.empty()) unsupported(i, "watches a file whose path is not known");
      must("number a watch of " + name_of(i) + " (CONFIG_CHECKPOINT_RESTORE)", SYS_ioctl,
           {n(i), kSetNextWatch, uint64_t(w.wd)});
      abi::RestoreStep& step = must("watch " + w.path + " with " + name_of(i), SYS_inotify_add_watch, {n(i), 0, w.mask},
                                    abi::kStepExactly);
      step.expected = w.wd;
      point(step, 1, w.path.c_str(), w.path.size() + 1);
    }
  }

  void make_memfd(size_t i) {
    const OpenFile& f = o_.files[i];
    point(makes(number_[i], "make " + name_of(i), SYS_memfd_create,
                {0, uint64_t(MFD_CLOEXEC) |
                        ((f.seals & F_SEAL_SEAL) != 0 && f.seals == F_SEAL_SEAL ? 0 : MFD_ALLOW_SEALING)}),
          0, f.path.c_str(), f.path.size() + 1);
    if (f.bytes != 0) must("size " + name_of(i), SYS_ftruncate, {n(i), f.bytes});
    for (const auto& [at, bytes] : f.contents) {
      abi::RestoreStep& step = must("fill " + name_of(i), SYS_pwrite64, {n(i), 0, bytes.size(), uint64_t(at)},
                                    abi::kStepExactly);
      step.expected = int64_t(bytes.size());
      point(step, 1, bytes.data(), bytes.size());
    }
    if (f.position != 0) must("position " + name_of(i), SYS_lseek, {n(i), uint64_t(f.position), SEEK_SET});
    if (f.seals != 0 && f.seals != F_SEAL_SEAL) must("seal " + name_of(i), SYS_fcntl, {n(i), F_ADD_SEALS, f.seals});
    // Of one that was opened again for less.
    if ((f.flags & O_ACCMODE) != O_RDWR) warn(i, "can be written to, which it could not be before");
  }

  // ---- sockets --------------------------------------------------------------------------------------------------------------
  const UnixSocket& unix_of(size_t file) const { return o_.unix_sockets[size_t(o_.files[file].object)]; }
  bool is_listener(size_t i) const { return o_.files[i].kind == OpenFile::kUnix && unix_of(i).listening; }
  int64_t unix_file(uint64_t ino) const {
    for (size_t i = 0; ino != 0 && i < o_.files.size(); i++)
      if (o_.files[i].kind == OpenFile::kUnix && number_[i] >= 0 && unix_of(i).ino == ino) return int64_t(i);
    return -1;
  }
  int64_t listener_at(const std::string& address) const {
    for (size_t i = 0; !address.empty() && i < o_.files.size(); i++)
      if (is_listener(i) && number_[i] >= 0 && unix_of(i).address == address) return int64_t(i);
    return -1;
  }
  static std::string unix_address(const std::string& path) {
    std::string out(offsetof(sockaddr_un, sun_path), '\0');
    out[0] = AF_UNIX;
    out += path;
    if (path[0] != '\0') out += '\0';
    return out;
  }
  void remember_name(const std::string& address) {
    // As agent/src/shadow.cc: programs give the length with the zero byte, without it, or that of the structure.
    std::string padded = address;
    padded.resize(sizeof(sockaddr_un));
    for (const std::string& bytes : {address, address.substr(0, address.size() - (address[2] != '\0')), padded}) {
      uint64_t h = 0xcbf29ce484222325;
      for (char c : bytes) h = (h ^ uint8_t(c)) * 0x100000001b3;
      if (std::find(out_.unix_names.begin(), out_.unix_names.end(), h | 1) == out_.unix_names.end())
        out_.unix_names.push_back(h | 1);
    }
  }
  void bind_unix(size_t i) {
    const std::string address = unix_address(unix_of(i).address);
    if (address[2] != '\0') {
      // What is there is the socket that has come with the storage, which nobody answers.
      abi::RestoreStep& step = must("remove", SYS_unlink, {0}, abi::kStepMay);
      point(step, 0, address.c_str() + 2, address.size() - 2);
    }
    point(must("bind " + name_of(i) + " to its name", SYS_bind, {n(i), 0, address.size()}), 1, address.data(),
          address.size());
    remember_name(address);
  }
  void connect_unix(size_t i, const std::string& name) {
    const std::string address = unix_address(name);
    point(must("connect " + name_of(i), SYS_connect, {n(i), 0, address.size()}), 1, address.data(), address.size());
  }
  void set_option(uint64_t number, const std::string& what, int level, int name, const void* value, size_t len) {
    point(must("set an option of " + what, SYS_setsockopt, {number, uint64_t(level), uint64_t(name), 0, len}), 3, value,
          len);
  }
  void new_unix(size_t i) {
    makes(number_[i], "make " + name_of(i), SYS_socket, {AF_UNIX, unix_of(i).type | SOCK_CLOEXEC, 0});
  }

  void make_unix(size_t i) {
    const UnixSocket& s = unix_of(i);
    if (s.carries_descriptors) unsupported(i, "has received descriptors that were not taken out");
    if (s.listening) {
      new_unix(i);
      if (!s.address.empty()) bind_unix(i);
      must("listen at " + name_of(i), SYS_listen, {n(i), s.backlog});
      return set_buffers(i);
    }
    const int64_t peer = unix_file(s.peer);
    if (peer >= 0 && size_t(peer) != i && unix_of(size_t(peer)).peer == s.ino && !done_[size_t(peer)]) {
      done_[size_t(peer)] = made_[size_t(peer)] = true;
      make_pair(i, size_t(peer));
    } else if (s.connected || (peer >= 0 && size_t(peer) != i)) {
      if (s.peer == 0 && s.shut == 0 && listener_at(s.peer_address) >= 0 && s.type != SOCK_DGRAM) {
        if (s.unread_by_peer != 0) unsupported(i, "has sent bytes on a connection that has not been accepted yet");
        waiting_.push_back(i);
        return;
      }
      const int32_t other = new_number();
      makes_two(number_[i], other, "make " + name_of(i), SYS_socketpair, {AF_UNIX, s.type | SOCK_CLOEXEC, 0, 0}, 3);
      peer_number_[i] = other;
      if (s.peer != 0) warn(i, "leads out of the group and will be found closed");
      if (!s.address.empty()) bind_unix(i);
    } else {
      new_unix(i);
      if (!s.address.empty()) bind_unix(i);
    }
    set_buffers(i);
  }

  void make_pair(size_t a, size_t b) {
    const bool stream = unix_of(a).type != SOCK_DGRAM;
    int64_t listener = stream ? listener_at(unix_of(b).address) : -1;
    if (listener < 0 && stream && (listener = listener_at(unix_of(a).address)) >= 0) std::swap(a, b);
    if (listener >= 0) {
      // The one was accepted from the group's own listener, and has its name.
      new_unix(a);
      if (!unix_of(a).address.empty()) bind_unix(a);
      connect_unix(a, unix_of(b).address);
      makes(number_[b], "accept " + name_of(b), SYS_accept4, {n(size_t(listener)), 0, 0, SOCK_CLOEXEC});
    } else {
      makes_two(number_[a], number_[b], "make " + name_of(a), SYS_socketpair,
                {AF_UNIX, unix_of(a).type | SOCK_CLOEXEC, 0, 0}, 3);
      for (size_t i : {a, b})
        if (!unix_of(i).address.empty()) bind_unix(i);
    }
    peer_number_[a] = number_[b];
    peer_number_[b] = number_[a];
    set_buffers(a);
    set_buffers(b);
  }

  void set_buffers(size_t i) {
    const UnixSocket& s = unix_of(i);
    const UniqueFd fresh(socket(AF_UNIX, int(s.type) | SOCK_CLOEXEC, 0));
    const auto differs = [&](int name, uint32_t value) {
      int now = 0;
      socklen_t length = sizeof now;
      return getsockopt(fresh.get(), SOL_SOCKET, name, &now, &length) != 0 || uint32_t(now) != value;
    };
    // The kernel doubles what it is given.
    const int32_t one = 1, out = int32_t(s.send_buffer / 2), in = int32_t(s.receive_buffer / 2);
    if (differs(SO_SNDBUF, s.send_buffer)) set_option(n(i), name_of(i), SOL_SOCKET, SO_SNDBUF, &out, 4);
    if (differs(SO_RCVBUF, s.receive_buffer)) set_option(n(i), name_of(i), SOL_SOCKET, SO_RCVBUF, &in, 4);
    if (s.pass_credentials) set_option(n(i), name_of(i), SOL_SOCKET, SO_PASSCRED, &one, 4);
  }

  // After whatever was accepted: a listener gives connections in their order.
  void connect_waiting() {
    for (size_t i : waiting_) {
      new_unix(i);
      set_buffers(i);
      if (!unix_of(i).address.empty()) bind_unix(i);
      connect_unix(i, unix_of(i).peer_address);
    }
  }

  void fill() {
    for (size_t i = 0; i < o_.files.size(); i++) {
      if (!made_[i] || o_.files[i].kind != OpenFile::kUnix) continue;
      const UnixSocket& s = unix_of(i);
      if (s.received.empty()) continue;
      if (!peer_number_.contains(i)) {
        if (s.address.empty()) unsupported(i, "has received messages, and nothing can be sent to it");
        peer_number_[i] = new_number();
        makes(peer_number_[i], "make a socket", SYS_socket, {AF_UNIX, s.type | SOCK_CLOEXEC, 0});
        const std::string address = unix_address(s.address);
        point(must("connect to " + name_of(i), SYS_connect, {uint64_t(peer_number_[i]), 0, address.size()}), 1,
              address.data(), address.size());
        warn(i, "does not know any more who sent it what it has received");
      }
      for (const std::string& piece : s.received) send("fill " + name_of(i), uint64_t(peer_number_[i]), piece, true);
    }
    // Only now: nothing is sent to who has ended.
    for (size_t i = 0; i < o_.files.size(); i++) {
      if (!made_[i] || o_.files[i].kind != OpenFile::kUnix || !peer_number_.contains(i)) continue;
      const UnixSocket& s = unix_of(i);
      if ((s.shut & 2) != 0 && s.peer != 0) must("shut " + name_of(i), SYS_shutdown, {n(i), SHUT_WR});
      if ((s.shut & 1) != 0 && s.type == SOCK_DGRAM) must("shut " + name_of(i), SYS_shutdown, {n(i), SHUT_RD});
    }
  }

  void make_inet(size_t i) {
    const InetSocket& s = o_.inet_sockets[size_t(o_.files[i].object)];
    const std::string what = name_of(i);
    makes(number_[i], "make " + what, SYS_socket, {s.family, s.type | SOCK_CLOEXEC, s.protocol});
    for (const SocketOption& option : s.options) {
      std::string value = option.value;
      int32_t size = 0;
      if (option.level == SOL_SOCKET && (option.name == SO_SNDBUF || option.name == SO_RCVBUF) && value.size() == 4) {
        memcpy(&size, value.data(), 4);
        // Of a connection the kernel sizes it itself, unless it was set; which of both is not to be seen.
        if (s.type == SOCK_STREAM && s.state != kListen && s.state != kClosed) continue;
        size /= 2;
        memcpy(value.data(), &size, 4);
      }
      set_option(n(i), what, option.level, option.name, value.data(), value.size());
    }
    // As agent/src/shadow.cc: the virtual address is not on this host before a takeover, and nothing listens before it.
    const auto port = [](const std::string& address) {
      return address.size() < 4 ? 0 : uint8_t(address[2]) << 8 | uint8_t(address[3]);
    };
    const int32_t one = 1;
    const bool datagram = s.type != SOCK_STREAM;
    if (port(s.local) != 0 && (datagram || s.state == kListen || s.state == kClosed)) {
      if (s.family == AF_INET6) set_option(n(i), what, IPPROTO_IPV6, 78 /* IPV6_FREEBIND */, &one, 4);
      else set_option(n(i), what, IPPROTO_IP, IP_FREEBIND, &one, 4);
      point(must("bind " + what, SYS_bind, {n(i), 0, s.local.size()}), 1, s.local.data(), s.local.size());
    }
    if (datagram && port(s.remote) != 0)
      point(must("connect " + what, SYS_connect, {n(i), 0, s.remote.size()}), 1, s.remote.data(), s.remote.size());
  }

  // An entry is known by the file and the number that it was added under; a number may mean something else by now.
  void watch(size_t set) {
    for (const Watched& w : o_.files[set].watched) {
      const std::string what = "watch descriptor " + std::to_string(w.fd) + " with " + name_of(set);
      const OpenFile::Kind kind = w.file < 0 ? OpenFile::kOther : o_.files[size_t(w.file)].kind;
      if ((kind == OpenFile::kSignalfd || kind == OpenFile::kPidfd) && watch_in_process(set, w, what)) continue;
      if (w.file < 0 || number_[size_t(w.file)] < 0 || kind == OpenFile::kPidfd) {
        warn(set, "watches what was added as descriptor " + std::to_string(w.fd) + ", and will not any more");
        continue;
      }
      const auto number = uint64_t(w.fd);
      must(what, SYS_dup2, {n(size_t(w.file)), number}, abi::kStepExactly).expected = w.fd;
      epoll_event event{};
      event.events = w.events;
      event.data.u64 = w.data;
      point(must(what, SYS_epoll_ctl, {n(set), EPOLL_CTL_ADD, number, 0}), 3, &event, sizeof event);
      must(what, SYS_close, {number});
    }
  }

  // A set is told of the signals of the process that added the signalfd to it, whoever waits with it; and a pidfd is each process's own. Of several
  // that have both the first is the others' ancestor, as a rule.
  bool watch_in_process(size_t set, const Watched& w, const std::string& what) {
    const Descriptor *own_set = nullptr, *file = nullptr, *in_its_place = nullptr;
    const auto descriptor_of = [&](int64_t pid, size_t of, int32_t rather) {
      const Descriptor* found = nullptr;
      for (const Descriptor& d : o_.descriptors)
        if (d.pid == pid && d.file == of && (found == nullptr || d.fd == rather)) found = &d;
      return found;
    };
    for (const Descriptor& d : o_.descriptors) {
      if (d.file != set || (own_set != nullptr && own_set->pid <= d.pid)) continue;
      const Descriptor* const watched = descriptor_of(d.pid, size_t(w.file), w.fd);
      if (watched == nullptr) continue;
      own_set = &d;
      file = watched;
    }
    if (own_set == nullptr) return false;
    for (const Descriptor& d : o_.descriptors)
      if (d.pid == file->pid && d.fd == w.fd && &d != file) in_its_place = &d;
    std::vector<abi::RestoreStep>& steps = out_.processes[file->pid].steps;
    const auto move = [&](int32_t from, int32_t to, bool cloexec) {
      add(&steps, what, SYS_dup3, {uint64_t(from), uint64_t(to), cloexec ? uint64_t(O_CLOEXEC) : 0}, abi::kStepExactly)
          .expected = to;
    };
    // Above all that it has.
    const int32_t free = out_.first_number == options_.guest_fd ? out_.first_number + 1 : out_.first_number;
    if (in_its_place != nullptr) move(w.fd, free, true);
    if (file->fd != w.fd) move(file->fd, w.fd, true);
    epoll_event event{};
    event.events = w.events;
    event.data.u64 = w.data;
    point(add(&steps, what, SYS_epoll_ctl, {uint64_t(own_set->fd), EPOLL_CTL_ADD, uint64_t(w.fd), 0}, abi::kStepMust),
          3, &event, sizeof event);
    if (in_its_place != nullptr) {
      move(free, w.fd, in_its_place->cloexec);
      add(&steps, what, SYS_close, {uint64_t(free)}, abi::kStepMust);
    } else if (file->fd != w.fd) {
      add(&steps, what, SYS_close, {uint64_t(w.fd)}, abi::kStepMust);
    }
    return true;
  }

  // ---- processes ------------------------------------------------------------------------------------------------------------
  bool is_standard(uint32_t file) const {
    return std::find(o_.standard.begin(), o_.standard.end(), int64_t(file)) != o_.standard.end();
  }
  void place(const Descriptor& d) {
    if (d.fd == options_.guest_fd) return;
    ProcessDescriptors& process = out_.processes[d.pid];
    const OpenFile& f = o_.files[d.file];
    if (f.kind == OpenFile::kPidfd) {
      const std::string what = "make " + name_of(d.file);
      abi::RestoreStep& step = add(&process.steps, what, SYS_pidfd_open, {uint64_t(f.target_pid), f.flags & O_NONBLOCK},
                                   abi::kStepPidfd);
      step.makes[0] = d.fd;
      step.cloexec = d.cloexec;
      // The kernel makes them so that an execve closes them.
      if (!d.cloexec) add(&process.steps, what, SYS_fcntl, {uint64_t(d.fd), F_SETFD, 0}, abi::kStepMust);
      return;
    }
    process.descriptors.push_back({d.fd, number_[d.file], d.cloexec ? 1u : 0u,
                                   f.kind == OpenFile::kPipe && f.path[0] != '/' && !is_standard(d.file) ? 1u : 0u});
  }

  void plan(std::vector<abi::RestoreStep>* steps, const PlannedCall& call) {
    abi::RestoreStep& step = add(steps, call.what, call.nr, call.args, call.must ? abi::kStepMust : abi::kStepShould);
    for (const auto& [arg, data] : call.data) point(step, arg, data.data(), data.size());
  }

  // Somebody else on this host may have it: the file is another host's copy, or shared with the primary, who has it still.
  void take_lock(const FileLock& lock) {
    if (number_[lock.file] < 0 || is_standard(lock.file)) return;
    if (lock.kind == FileLock::kLease) return warn(lock.file, "has a lease, which is lost");
    if (lock.kind == FileLock::kPosix)
      plan(&out_.processes[lock.pid].steps, lock_call(lock, lock.fd, name_of(lock.file)));
    else plan(&out_.steps, lock_call(lock, number_[lock.file], name_of(lock.file)));
  }

  void attributes(const ProcessAttributes& a) {
    std::vector<abi::RestoreStep>& steps = out_.processes[a.pid].steps;
    const std::string whose = " of process " + std::to_string(a.pid);
    if (!a.directory.empty()) {
      abi::RestoreStep& step = add(&steps, "enter " + a.directory + ", the directory" + whose, SYS_chdir, {0},
                                   abi::kStepMust);
      point(step, 0, a.directory.c_str(), a.directory.size() + 1);
    }
    add(&steps, "set the umask" + whose, SYS_umask, {a.umask}, abi::kStepMust);
    for (size_t i = 0; i * 2 + 1 < a.limits.size(); i++) {
      rlimit now{};
      // What the replica begins with is the host's.
      if (getrlimit(__rlimit_resource(i), &now) == 0 && now.rlim_cur == a.limits[i * 2] &&
          now.rlim_max == a.limits[i * 2 + 1] && i != RLIMIT_NOFILE)
        continue;
      const rlimit limit{a.limits[i * 2], a.limits[i * 2 + 1]};
      abi::RestoreStep& step = add(&steps, "set limit " + std::to_string(i) + whose, SYS_prlimit64, {0, i, 0, 0},
                                   abi::kStepMust);
      point(step, 2, &limit, sizeof limit);
    }
    // They stay pending: everything is blocked until the replica goes live or the journal has them. The agent's own are the agent's business.
    constexpr uint64_t kReserved = 1ull << (SIGSYS - 1) | 1ull << (SIGTRAP - 1) | 1ull << (SIGSEGV - 1) |
                                   1ull << (SIGBUS - 1) | 1ull << (SIGILL - 1) | 1ull << (SIGFPE - 1) |
                                   1ull << (SIGKILL - 1) | 1ull << (SIGSTOP - 1);
    for (uint64_t signal = 1; signal <= 64 && options_.true_pids; signal++)
      if ((a.pending & ~kReserved & 1ull << (signal - 1)) != 0)
        add(&steps, "send signal " + std::to_string(signal) + whose, SYS_kill, {uint64_t(a.pid), signal},
            abi::kStepMust);
    const ProcessAttributes& host = host_.processes.empty() ? a : host_.processes.front();
    for (const PlannedCall& call : calls_before_user(a, host)) plan(&steps, call);
    // Last: there may be no right to anything afterwards.
    const ProcessAttributes* root = nullptr;
    for (const ProcessAttributes& other : o_.processes)
      if (other.pid == options_.root_pid) root = &other;
    if (a.users.size() < 4 || a.groups.size() < 4) return;
    if (root == nullptr || root->further_groups != a.further_groups) {
      abi::RestoreStep& step = add(&steps, "set the groups" + whose, SYS_setgroups, {a.further_groups.size(), 0},
                                   abi::kStepMust);
      point(step, 1, a.further_groups.data(), a.further_groups.size() * 4);
    }
    add(&steps, "set the group" + whose, SYS_setresgid, {a.groups[0], a.groups[1], a.groups[2]}, abi::kStepMust);
    add(&steps, "set the user" + whose, SYS_setresuid, {a.users[0], a.users[1], a.users[2]}, abi::kStepMust);
    for (const PlannedCall& call : calls_after_user(a, host)) plan(&steps, call);
    // A change of credentials makes it undumpable, and nobody could look at it any more.
    add(&steps, "stay open to its host" + whose, SYS_prctl, {4 /* PR_SET_DUMPABLE */, 1}, abi::kStepMust);
  }

  // Armed when the replica goes live, for what was left.
  void timers(const ProcessAttributes& a) {
    abi::RestoreTimers& out = out_.processes[a.pid].timers;
    for (size_t i = 0; i < 3 && a.intervals.size() == 12; i++)
      memcpy(&out.interval[i], &a.intervals[i * 4], sizeof out.interval[i]);
    // The kernel winds up ITIMER_REAL when its signal is delivered: one that waits to be has nothing left, and would not go on.
    if (out.interval[0].value[0] == 0 && out.interval[0].value[1] == 0)
      memcpy(out.interval[0].value, out.interval[0].interval, sizeof out.interval[0].value);
    size_t at = 0;
    for (const PosixTimer& t : a.timers) {
      if (at == std::size(out.posix))
        throw HostError("CHECKPOINT_UNSUPPORTED", ENOTSUP, "",
                        "what was open cannot be made again: process " + std::to_string(a.pid) + " has " +
                            std::to_string(a.timers.size()) + " timers, more than " + std::to_string(at));
      auto& to = out.posix[at++];
      to.used = to.has_event = 1;
      to.id = t.id;
      to.clock = t.clock;
      // struct sigevent: value, signal, how, thread.
      const int32_t words[3] = {t.signal, t.notify, int32_t(t.target)};
      memcpy(to.event, &t.value, 8);
      memcpy(to.event + 8, words, sizeof words);
      if (t.spec.size() == 4) memcpy(to.spec, t.spec.data(), sizeof to.spec);
      to.set = to.spec[2] != 0 || to.spec[3] != 0;
    }
  }

  // At the end, when it is known how many there are; it is made first.
  void raise_limit() {
    rlimit now{};
    getrlimit(RLIMIT_NOFILE, &now);
    const auto need = rlim_t(next_) + 16;  // and some that are open for a moment
    if (need > now.rlim_max)
      throw HostError("CHECKPOINT_UNSUPPORTED", EMFILE, "",
                      "what was open cannot be made again: its " + std::to_string(o_.files.size()) +
                          " open files need a limit of " + std::to_string(need) +
                          " for a while; raise the hard limit (ulimit -Hn)");
    // The child's soft limit may be another than this process's.
    const rlimit limit{std::max(need, now.rlim_cur), now.rlim_max};
    abi::RestoreStep& step = must("raise the limit on open files", SYS_prlimit64, {0, RLIMIT_NOFILE, 0, 0});
    point(step, 2, &limit, sizeof limit);
    std::rotate(out_.steps.rbegin(), out_.steps.rbegin() + 1, out_.steps.rend());
  }

  const KernelObjects& o_;
  const DescriptorOptions& options_;
  PlanBytes& bytes_;
  DescriptorPlan& out_;
  std::vector<int32_t> number_;    // of each file, -1: only the agent has it
  std::vector<bool> done_, made_;  // taken care of; made, and not opened with its flags
  std::map<size_t, int32_t> peer_number_;
  std::vector<size_t> waiting_;
  KernelObjects host_;  // this process's attributes
  int32_t next_ = 0;
};

}  // namespace

DescriptorPlan plan_descriptors(const KernelObjects& objects, const DescriptorOptions& options, PlanBytes* out) {
  DescriptorPlan plan;
  if (!objects.missing.empty())
    throw HostError("CHECKPOINT_UNSUPPORTED", ENOTSUP, "",
                    "what was open cannot be made again: " + objects.missing.front());
  Planner(objects, options, out, &plan).run();
  return plan;
}

}  // namespace understudy::host::checkpoint
