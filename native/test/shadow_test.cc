// A checkpoint as a hot replica: a guest opens everything there is to open, a checkpoint is taken, and the group that is made of it has
// the same open files, as `describe` sees them: field by field, with what lies in them, shared as they were. Then the replica follows the
// rest of the journal from the checkpoint to several places, goes live there, and the guest has to come to the same end.
//
// Or: checkpoints are taken of a busy guest at any moment, and replicas of several of them have to come to its end.
//
// usage: shadow-test AGENT STUB INIT GUEST                        one that waits for SIGUSR1 (shadow_guest.c)
//        shadow-test AGENT STUB INIT --every MS COMMAND...        one that is always the same
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <sstream>

#include "msgpack.h"
#include "pair_fixture.h"
#include "pair/replica.h"
#include "session.h"

using namespace understudy;
using namespace understudy::host;
using namespace understudy::host::checkpoint;
namespace fs = std::filesystem;

namespace {

constexpr size_t kEventsOfAnEnd = 200;  // of an interpreter's, from its last output to its exit

int failures = 0;
void failed(const std::string& text) {
  failures++;
  printf("FAILED: %s\n", text.c_str());
  fflush(stdout);
}

// ---- comparing ------------------------------------------------------------------------------------------------------------
// Numbers of processes are those that the group knows in both.
class Comparison {
 public:
  Comparison(const KernelObjects& was, const KernelObjects& is, int guest_fd)
      : was_(was), is_(is), guest_fd_(guest_fd) {}

  std::vector<std::string> run() {
    match_descriptors();
    for (size_t i = 0; i < was_.files.size(); i++)
      if (const auto other = file_.find(i); other != file_.end() && !is_standard(i)) file(i, other->second);
    processes();
    locks();
    return std::move(differences_);
  }

 private:
  template <class A, class B>
  void equal(const std::string& what, const A& was, const B& is) {
    if (was == is) return;
    std::ostringstream text;
    text << what << ": was " << was << ", is " << is;
    differences_.push_back(text.str());
  }
  void equal_bytes(const std::string& what, const std::vector<std::string>& was, const std::vector<std::string>& is) {
    if (was != is) differences_.push_back(what + " holds something else");
  }
  bool is_standard(size_t i) const {
    return std::find(was_.standard.begin(), was_.standard.end(), int64_t(i)) != was_.standard.end();
  }

  void match_descriptors() {
    std::map<std::pair<int64_t, int32_t>, const Descriptor*> is;
    for (const Descriptor& d : is_.descriptors) is[{d.pid, d.fd}] = &d;
    std::map<uint32_t, size_t> back;
    for (const Descriptor& d : was_.descriptors) {
      const std::string name = "descriptor " + std::to_string(d.fd) + " of " + std::to_string(d.pid);
      const auto found = is.find({d.pid, d.fd});
      if (found == is.end()) {
        differences_.push_back(name + " is missing");
        continue;
      }
      const Descriptor& other = *found->second;
      is.erase(found);
      if (d.fd == guest_fd_) continue;
      equal(name + ", close on exec", d.cloexec, other.cloexec);
      if (is_standard(d.file)) continue;
      // The same file exactly where it was the same.
      const auto [mine, added] = file_.try_emplace(d.file, other.file);
      if (mine->second != other.file) differences_.push_back(name + " is not shared any more");
      const auto [theirs, new_back] = back.try_emplace(other.file, d.file);
      if (theirs->second != d.file) differences_.push_back(name + " is shared with what it was not");
    }
    for (const auto& [key, d] : is)
      differences_.push_back("descriptor " + std::to_string(key.second) + " of " + std::to_string(key.first) +
                             " is new: " + is_.files[d->file].path);
  }

  void file(size_t i, size_t j) {
    const OpenFile &a = was_.files[i], &b = is_.files[j];
    std::string name = a.path;
    for (const Descriptor& d : was_.descriptors)
      if (d.file == i) {
        name += " (" + std::to_string(d.fd) + " of " + std::to_string(d.pid) + ")";
        break;
      }
    equal(name + ", kind", int(a.kind), int(b.kind));
    equal(name + ", flags", a.flags, b.flags);
    equal(name + ", position", a.position, b.position);
    equal(name + ", mode", a.mode, b.mode);
    if (a.kind == OpenFile::kFile || a.kind == OpenFile::kMemfd) equal(name + ", path", a.path, b.path);
    if (a.kind == OpenFile::kFile) equal(name + ", inode", a.ino, b.ino);
    equal(name + ", deleted", a.deleted, b.deleted);
    equal(name + ", count", a.count, b.count);
    equal(name + ", semaphore", a.semaphore, b.semaphore);
    equal(name + ", clock", a.clock, b.clock);
    equal(name + ", ticks", a.ticks, b.ticks);
    equal(name + ", interval", a.interval_ns, b.interval_ns);
    equal(name + ", armed", a.value_ns != 0, b.value_ns != 0);
    // Time passes, some, and only forwards.
    if (b.value_ns > a.value_ns || a.value_ns - b.value_ns > 30'000'000'000)
      equal(name + ", left", a.value_ns, b.value_ns);
    equal(name + ", signals", a.signals, b.signals);
    equal(name + ", target", a.target_pid, b.target_pid);
    equal(name + ", seals", a.seals, b.seals);
    equal(name + ", size", a.bytes, b.bytes);
    if (a.contents != b.contents) differences_.push_back(name + " has other contents");
    watched(name, a, b);
    equal(name + ", watches", a.watches.size(), b.watches.size());
    for (size_t k = 0; k < std::min(a.watches.size(), b.watches.size()); k++) {
      equal(name + ", watch", a.watches[k].wd, b.watches[k].wd);
      equal(name + ", mask", a.watches[k].mask, b.watches[k].mask);
      equal(name + ", watched path", a.watches[k].path, b.watches[k].path);
      equal(name + ", watched inode", a.watches[k].ino, b.watches[k].ino);
    }
    if (a.kind != b.kind || a.object < 0 || b.object < 0) return;
    if (a.kind == OpenFile::kPipe) {
      // The ends of one pipe are ends of one pipe.
      const auto [mine, added] = pipe_.try_emplace(a.object, b.object);
      equal(name + ", which pipe", mine->second, b.object);
      const Pipe &p = was_.pipes[size_t(a.object)], &q = is_.pipes[size_t(b.object)];
      equal(name + ", capacity", p.capacity, q.capacity);
      equal_bytes(name, p.contents, q.contents);
    }
    if (a.kind == OpenFile::kUnix)
      unix_socket(name, was_.unix_sockets[size_t(a.object)], is_.unix_sockets[size_t(b.object)]);
    if (a.kind == OpenFile::kInet) inet(name, was_.inet_sockets[size_t(a.object)], is_.inet_sockets[size_t(b.object)]);
  }

  void watched(const std::string& name, const OpenFile& a, const OpenFile& b) {
    equal(name + ", watched", a.watched.size(), b.watched.size());
    const auto key = [](const Watched& w) { return std::make_tuple(w.fd, w.data, w.events); };
    for (const Watched& w : a.watched) {
      const auto same = std::find_if(b.watched.begin(), b.watched.end(),
                                     [&](const Watched& v) { return key(v) == key(w); });
      const std::string which = name + ", entry of " + std::to_string(w.fd);
      if (same == b.watched.end()) differences_.push_back(which + " is missing or another");
      else if (w.file >= 0)
        equal(which, file_.contains(size_t(w.file)) ? int64_t(file_[size_t(w.file)]) : -1, same->file);
    }
  }

  const OpenFile* unix_file(const KernelObjects& o, uint64_t ino) const {
    for (const OpenFile& f : o.files)
      if (f.kind == OpenFile::kUnix && o.unix_sockets[size_t(f.object)].ino == ino) return &f;
    return nullptr;
  }
  void unix_socket(const std::string& name, const UnixSocket& a, const UnixSocket& b) {
    equal(name + ", type", a.type, b.type);
    equal(name + ", listening", a.listening, b.listening);
    equal(name + ", connected", a.connected, b.connected);
    equal(name + ", backlog", a.backlog, b.backlog);
    equal(name + ", waiting", a.waiting, b.waiting);
    equal(name + ", address", a.address, b.address);
    if (a.connected) equal(name + ", peer's address", a.peer_address, b.peer_address);
    equal(name + ", send buffer", a.send_buffer, b.send_buffer);
    equal(name + ", receive buffer", a.receive_buffer, b.receive_buffer);
    equal(name + ", credentials", a.pass_credentials, b.pass_credentials);
    equal(name + ", shut", int(a.shut), int(b.shut));
    equal_bytes(name, a.received, b.received);
    const OpenFile *mine = unix_file(was_, a.peer), *theirs = unix_file(is_, b.peer);
    const int64_t expected = mine == nullptr || a.peer == 0 ? -1 : int64_t(file_[size_t(mine - was_.files.data())]);
    equal(name + ", peer", expected, theirs == nullptr || b.peer == 0 ? -1 : int64_t(theirs - is_.files.data()));
  }
  // A shadow: what it is connected to is not its own business.
  void inet(const std::string& name, const InetSocket& a, const InetSocket& b) {
    equal(name + ", family", a.family, b.family);
    equal(name + ", type", a.type, b.type);
    equal(name + ", protocol", a.protocol, b.protocol);
    if (a.type == SOCK_STREAM) equal(name + ", state", 7 /* TCP_CLOSE */, int(b.state));
    if (a.state == 10 || a.type == SOCK_DGRAM) equal(name + ", local", a.local, b.local);
    for (const SocketOption& option : a.options) {
      if (option.level == SOL_SOCKET && (option.name == SO_SNDBUF || option.name == SO_RCVBUF)) continue;
      const bool same = std::any_of(b.options.begin(), b.options.end(), [&](const SocketOption& o) {
        return o.level == option.level && o.name == option.name && o.value == option.value;
      });
      if (!same)
        differences_.push_back(name + ", option " + std::to_string(option.level) + "/" + std::to_string(option.name));
    }
  }

  void processes() {
    equal("processes", was_.processes.size(), is_.processes.size());
    for (const ProcessAttributes& a : was_.processes)
      for (const ProcessAttributes& b : is_.processes) {
        if (a.pid != b.pid) continue;
        const std::string name = "process " + std::to_string(a.pid);
        equal(name + ", directory", a.directory, b.directory);
        equal(name + ", umask", a.umask, b.umask);
        for (size_t i = 0; i < std::min(a.limits.size(), b.limits.size()); i++)
          equal(name + ", limit " + std::to_string(i), a.limits[i], b.limits[i]);
        equal(name + ", nice", a.nice, b.nice);
        equal(name + ", scheduling", a.policy, b.policy);
        if (a.capabilities != b.capabilities) differences_.push_back(name + " has other capabilities");
        equal(name + ", no new privileges", a.no_new_privileges, b.no_new_privileges);
        if (a.users != b.users || a.groups != b.groups || a.further_groups != b.further_groups)
          differences_.push_back(name + " is another user's");
      }
  }

  void locks() {
    const auto names = [](const KernelObjects& o) {
      std::vector<std::string> out;
      for (const FileLock& l : o.locks)
        out.push_back(o.files[l.file].path + ": lock of kind " + std::to_string(l.kind) +
                      (l.exclusive ? " (exclusive)" : "") + " from " + std::to_string(l.start) + ", " +
                      std::to_string(l.length) + " bytes" +
                      (l.kind == FileLock::kPosix ? ", of " + std::to_string(l.pid) : ""));
      std::sort(out.begin(), out.end());
      return out;
    };
    const std::vector<std::string> was = names(was_), is = names(is_);
    for (const std::string& name : was)
      if (!std::binary_search(is.begin(), is.end(), name)) differences_.push_back(name + ": is missing");
    equal("locks", was.size(), is.size());
  }

  const KernelObjects &was_, &is_;
  const int guest_fd_;
  std::map<size_t, size_t> file_;
  std::map<int64_t, int64_t> pipe_;
  std::vector<std::string> differences_;
};

// Whether a difference would be seen: one of each kind is put in, and has to be found.
void check_comparison(const KernelObjects& was, const KernelObjects& is, int guest_fd) {
  const auto of_kind = [](KernelObjects& o, OpenFile::Kind kind) -> OpenFile& {
    for (OpenFile& f : o.files) {
      const bool own = f.kind != OpenFile::kMemfd || f.path == "some memory";
      const bool regular = kind != OpenFile::kFile || (S_ISREG(f.mode) && f.position != 0);
      if (f.kind == kind && own && regular) return f;
    }
    failed("the guest has no file of kind " + std::to_string(kind));
    return o.files.front();
  };
  const auto filled = [](auto& list, auto member) -> auto& {
    for (auto& item : list)
      if (!(item.*member).empty()) return (item.*member).front();
    failed("nothing lies in any pipe or socket");
    return (list.front().*member).emplace_back();
  };
  const auto numbered = [](KernelObjects& o, int fd) -> Descriptor& {
    return *std::find_if(o.descriptors.begin(), o.descriptors.end(), [&](const Descriptor& d) { return d.fd == fd; });
  };
  const std::pair<const char*, std::function<void(KernelObjects&)>> changes[] = {
      {"position", [&](KernelObjects& o) { of_kind(o, OpenFile::kFile).position++; }},
      {"flags", [&](KernelObjects& o) { of_kind(o, OpenFile::kFile).flags ^= O_APPEND; }},
      {"close on exec", [&](KernelObjects& o) { numbered(o, 77).cloexec ^= true; }},
      {"a number", [&](KernelObjects& o) { numbered(o, 77).fd += 1000; }},
      {"sharing", [&](KernelObjects& o) { numbered(o, 77).file = numbered(o, 120).file; }},
      {"a pipe's contents", [&](KernelObjects& o) { filled(o.pipes, &Pipe::contents)[0] ^= 1; }},
      {"a pipe's capacity", [&](KernelObjects& o) { o.pipes.back().capacity *= 2; }},
      {"a socket's contents", [&](KernelObjects& o) { filled(o.unix_sockets, &UnixSocket::received)[0] ^= 1; }},
      {"a peer",
       [&](KernelObjects& o) {
         for (UnixSocket& s : o.unix_sockets) s.peer = 0;
       }},
      {"waiting",
       [&](KernelObjects& o) {
         for (UnixSocket& s : o.unix_sockets) s.waiting = 0;
       }},
      {"count", [&](KernelObjects& o) { of_kind(o, OpenFile::kEventfd).count++; }},
      {"interval", [&](KernelObjects& o) { of_kind(o, OpenFile::kTimerfd).interval_ns++; }},
      {"signals", [&](KernelObjects& o) { of_kind(o, OpenFile::kSignalfd).signals ^= 1; }},
      {"a watched number", [&](KernelObjects& o) { of_kind(o, OpenFile::kEpoll).watched.at(0).fd++; }},
      {"what is watched", [&](KernelObjects& o) { of_kind(o, OpenFile::kEpoll).watched.at(0).file ^= 1; }},
      {"watched events", [&](KernelObjects& o) { of_kind(o, OpenFile::kEpoll).watched.at(0).events ^= EPOLLPRI; }},
      {"a watch", [&](KernelObjects& o) { of_kind(o, OpenFile::kInotify).watches.at(0).wd++; }},
      {"seals", [&](KernelObjects& o) { of_kind(o, OpenFile::kMemfd).seals ^= 1; }},
      {"memory", [&](KernelObjects& o) { of_kind(o, OpenFile::kMemfd).contents.at(0).second[0] ^= 1; }},
      {"a local address",
       [&](KernelObjects& o) {
         for (InetSocket& s : o.inet_sockets)
           if (s.local.size() > 3) s.local[3] ^= 1;
       }},
      {"directory", [&](KernelObjects& o) { o.processes.back().directory += "x"; }},
      {"umask", [&](KernelObjects& o) { o.processes.back().umask ^= 1; }},
      {"nice", [&](KernelObjects& o) { o.processes.back().nice++; }},
      {"capabilities", [&](KernelObjects& o) { o.processes.back().capabilities.at(1) ^= 1; }},
      {"a lock", [&](KernelObjects& o) { o.locks.at(0).start++; }},
      {"limit", [&](KernelObjects& o) { o.processes.back().limits[2 * RLIMIT_NOFILE]++; }},
  };
  for (const auto& [what, change] : changes) {
    KernelObjects other = was;
    change(other);
    if (Comparison(other, is, guest_fd).run().empty()) failed(std::string("a difference in ") + what + " is not seen");
  }
}

// ---- the sessions -----------------------------------------------------------------------------------------------------------
int inside_pid(pid_t pid) {
  const std::string status = read_text("/proc/" + std::to_string(pid) + "/status");
  const size_t at = status.find("NSpid:");
  const size_t end = status.find('\n', at);
  return atoi(status.substr(status.find_last_of("\t ", end) + 1).c_str());
}

struct Watcher {
  std::mutex mutex;
  std::condition_variable changed;
  bool over = false;
  int status = -1;
  std::vector<uint64_t> checkpoints;
  double pause_ms = 0;  // longest
  std::string trouble;
  template <class F>
  bool wait(int seconds, F ready) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, std::chrono::seconds(seconds), ready);
  }
};

const Plain* field(const Plain::Object& event, const char* name) {
  for (const auto& [key, value] : event)
    if (key == name) return &value;
  return nullptr;
}

using Event = std::vector<uint8_t>;

struct Paths {
  std::string agent, stub, init, dir, out;
};

struct Recorded {
  std::vector<uint64_t> checkpoints;
  std::vector<Event> events;
  std::string output;
  int status = -1;
  // Where a mirror's last record may end: events of one call belong together.
  size_t cut_at(size_t cut) const {
    while (cut < events.size() && events[cut][1] >= 0xf7 && events[cut][1] <= 0xfa) cut++;
    return cut;
  }
};

// `every_ms` 0: one checkpoint, when the guest has said that it is ready.
Recorded record_guest(const Paths& paths, std::vector<std::string> command, int every_ms) {
  RecordOptions record{};
  record.argv = std::move(command);
  for (char** e = environ; *e != nullptr; e++) record.env.emplace_back(*e);
  record.cwd = paths.dir;
  record.journal_dir = paths.dir + "/journal";
  record.cache_dir = paths.dir + "/cache";
  record.agent_path = paths.agent;
  record.ring_bytes = abi::kRingSizeMin * 4;
  record.segment_bytes = 64 << 20;
  record.epoch = 1;
  record.kick_after_ms = 2;
  record.isolation = isolation_of(paths.init);
  record.checkpoint_kernel = true;
  record.checkpoint_every_ms = uint64_t(every_ms);
  Watcher w;
  Recorded out;
  {
    RecordSession session(record, [&](Plain::Object event) {
      const auto& type = std::get<std::string>(event.front().second.value);
      std::lock_guard lock(w.mutex);
      if (type == "message") printf("record: %s\n", std::get<std::string>(event[2].second.value).c_str());
      if (type == "checkpoint") {
        w.checkpoints.push_back(uint64_t(std::get<double>(field(event, "seq")->value)));
        printf("checkpoint: paused for %.1f ms, took %.1f ms:", std::get<double>(field(event, "pauseMs")->value),
               std::get<double>(field(event, "tookMs")->value));
        for (const auto& [name, value] : std::get<Plain::Object>(field(event, "pauseParts")->value))
          printf(" %s %.2f", name.c_str(), std::get<double>(value.value));
        printf(" processes %.0f threads %.0f pages %.0f\n", std::get<double>(field(event, "processes")->value),
               std::get<double>(field(event, "threads")->value), std::get<double>(field(event, "lastPages")->value));
        w.pause_ms = std::max(w.pause_ms, std::get<double>(field(event, "pauseMs")->value));
      }
      if (type == "checkpointFailed") w.trouble = std::get<std::string>(field(event, "text")->value);
      if (type == "ended") {
        w.over = true;
        w.status = int(std::get<double>(event[1].second.value));
      }
      w.changed.notify_all();
    });
    if (every_ms == 0) {
      for (int i = 0; i < 3000 && !fs::exists(paths.dir + "/guest/ready") && !w.over; i++) usleep(10000);
      usleep(50000);  // into sigsuspend
      session.request_checkpoint(1);
      w.wait(20, [&] { return !w.checkpoints.empty() || !w.trouble.empty() || w.over; });
      session.kill(SIGUSR1);
    }
    if (!w.wait(60, [&] { return w.over; })) failed("the recording does not end");
  }
  if (!w.trouble.empty()) failed("no checkpoint: " + w.trouble);
  out.checkpoints = w.checkpoints;
  out.status = w.status;
  out.output = read_text(paths.out);
  SegmentReader reader(record.journal_dir);
  while (auto batch = reader.next())
    for (const uint8_t *p = batch->events, *end = p + batch->len; p < end;) {
      const size_t n = event_length(p, end);
      out.events.emplace_back(p, p + n);
      p += n;
    }
  printf("recorded: status %d, %zu events, %zu checkpoints, longest pause %.1f ms, %zu bytes of output\n", out.status,
         out.events.size(), out.checkpoints.size(), w.pause_ms, out.output.size());
  if (out.output.empty() || out.status < 0) failed("the guest did not come to its end");
  if (out.checkpoints.empty()) failed("no checkpoint");
  return out;
}

void compare_restored(const Replica& replica, int guest_fd) {
  KernelObjects is = describe(replica.pids());
  for (Descriptor& d : is.descriptors) d.pid = inside_pid(pid_t(d.pid));
  for (ProcessAttributes& a : is.processes) a.pid = inside_pid(pid_t(a.pid));
  for (FileLock& lock : is.locks) lock.pid = inside_pid(pid_t(lock.pid));
  for (OpenFile& f : is.files)
    if (f.kind == OpenFile::kPidfd) f.target_pid = inside_pid(pid_t(f.target_pid));
  const KernelObjects& was = *replica.restore()->kernel();
  for (const std::string& text : is.missing) failed(text);
  for (const std::string& text : Comparison(was, is, guest_fd).run()) failed("restored otherwise: " + text);
  check_comparison(was, is, guest_fd);
  printf("compared %zu descriptors of %zu processes, %zu open files\n", was.descriptors.size(), was.processes.size(),
         was.files.size());
  size_t shadows = 0;
  for (const InetSocket& s : was.inet_sockets) shadows += replica.shadow_cookie(s.cookie) != 0;
  if (shadows != was.inet_sockets.size()) failed("a socket has no shadow that can be found");
}

// A replica from the checkpoint at `seq`, which follows to `cut` and goes live there.
void follow(const Paths& paths, const Recorded& recorded, int number, uint64_t seq, size_t cut, bool compare,
            bool wake) {
  const std::string journal = paths.dir + "/replica-" + std::to_string(number);
  fs::create_directories(journal + "/scratch");
  for (const char* part : {"/blobs", "/checkpoints"})
    fs::copy(paths.dir + "/journal" + part, journal + part, fs::copy_options::recursive);
  ReplicaOptions options{};
  options.journal_dir = journal;
  options.agent_path = paths.agent;
  options.stub_path = paths.stub;
  options.scratch_dir = journal + "/scratch";
  options.cache_dir = paths.dir + "/cache";
  options.ring_bytes = abi::kRingSizeMin * 4;
  options.segment_bytes = 64 << 20;
  options.epoch = 1;
  options.kick_after_ms = 2;
  options.isolation = isolation_of(paths.init);
  options.output_path = journal + "/output";
  options.from_seq = seq;
  Watcher w;
  Replica::Hooks hooks;
  hooks.message = [&](abi::MessageLevel, const std::string& text) { printf("replica: %s\n", text.c_str()); };
  hooks.diverged = [&](Plain::Object event) {
    std::lock_guard lock(w.mutex);
    for (auto& [key, value] : event) {
      if (auto* text = std::get_if<std::string>(&value.value)) w.trouble += key + "=" + *text + " ";
      if (auto* number = std::get_if<double>(&value.value))
        w.trouble += key + "=" + std::to_string(int64_t(*number)) + " ";
    }
    w.over = true;
    w.changed.notify_all();
  };
  hooks.journal_failed = [&](const PumpFailure& failure) { printf("journal: %s\n", failure.text.c_str()); };
  hooks.ended = [&](int code, bool) {
    std::lock_guard lock(w.mutex);
    w.over = true;
    w.status = code;
    w.changed.notify_all();
  };
  const std::string which = "replica " + std::to_string(number) + " (from " + std::to_string(seq) + " to event " +
                            std::to_string(cut) + "): ";
  std::string why;
  try {
    Replica replica(options, hooks);
    for (int wait = 0; wait < 1000 && !replica.is_restored() && !w.over; wait++) usleep(10000);
    if (!replica.is_restored()) why = "is not restored";
    if (why.empty() && compare) compare_restored(replica, replica.memory().control().guest_fd);
    bool ok = why.empty();
    for (size_t e = seq; ok && e < cut; e++)
      ok = replica.feed(e + 1, 1, recorded.events[e].data(), recorded.events[e].size());
    if (why.empty()) why = replica.drain(5000);
    if (why.empty())
      if (auto error = replica.go_live(2, 0)) why = error->path;
    if (why.empty() && wake) replica.signal_root(SIGUSR1);
    if (why.empty() && !w.wait(20, [&] { return w.over; })) {
      why = "does not end after going live";
      if (getenv("HOLD") != nullptr) {
        printf("%s%s: root is %d\n", which.c_str(), why.c_str(), replica.pid());
        fflush(stdout);
        sleep(1000);
      }
    }
    std::lock_guard lock(w.mutex);
    if (!w.trouble.empty()) why += " " + w.trouble;
    const std::string have = read_text(paths.out);
    // What was written before the checkpoint is not the replica's to write.
    const size_t from = std::min(have.find_first_not_of('?'), have.size());
    // Behind the guest's last words there is nothing left to write.
    const bool silent = from == have.size() && seq + kEventsOfAnEnd < recorded.events.size();
    if (why.empty() &&
        (silent || have.size() != recorded.output.size() || have.substr(from) != recorded.output.substr(from)))
      why = "another result:\n" + have + "instead of\n" + recorded.output;
    if (why.empty() && w.status != recorded.status) why = "status " + std::to_string(w.status);
  } catch (const HostError& error) { why = error.what(); }
  if (!why.empty()) failed(which + why);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  if (geteuid() != 0) {
    printf("skipped: namespaces need root\n");
    return 77;
  }
  char name[] = "/tmp/understudy-shadow-test-XXXXXX";
  const std::string dir = mkdtemp(name);
  const Paths paths{argv[1], argv[2], argv[3], dir, dir + "/out"};
  const bool busy = strcmp(argv[4], "--every") == 0;
  if (busy && argc < 7) return 2;
  setenv("OUT", paths.out.c_str(), 1);
  fs::create_directories(dir + "/guest");
  const Recorded recorded = busy ? record_guest(paths, {argv + 6, argv + argc}, atoi(argv[5]))
                                 : record_guest(paths, {argv[4], dir + "/guest"}, 0);
  unsetenv("OUT");
  const int replicas = busy ? 12 : 7;
  for (int i = 0; i < replicas && !recorded.checkpoints.empty(); i++) {
    const uint64_t seq = recorded.checkpoints[recorded.checkpoints.size() * size_t(i) / size_t(replicas)];
    // The first goes live without any event after the checkpoint.
    const size_t rest = recorded.events.size() - seq;
    const size_t cut = i == 0 ? seq
                              : recorded.cut_at(
                                    seq + (busy ? rest * size_t(i % 4) / 4 : rest * size_t(i) / size_t(replicas)));
    fs::remove(paths.out);
    // A guest that had it open finds it in its folder, which is not as it was then.
    if (busy) std::ofstream(paths.out) << std::string(recorded.output.size(), '?');
    follow(paths, recorded, i, seq, cut, !busy && i == 0, !busy && i == 0);
  }
  printf("%d replicas from checkpoints, %d failures\n", replicas, failures);
  if (failures == 0) fs::remove_all(dir);
  else printf("kept: %s\n", dir.c_str());
  return failures != 0;
}
