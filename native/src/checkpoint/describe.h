// What a group of processes has of the kernel, as seen from the host: descriptors, what they refer to, and what lies in pipes and sockets.
//
// Invariants:
//  - Nothing is changed: pipes are read with tee, sockets with MSG_PEEK, sets from /proc. A descriptor that is borrowed is closed at once.
//  - An open file that several descriptors share (dup, fork, SCM_RIGHTS) is told of once: sharing is decided by the kernel (kcmp).
//  - What cannot be described is told of as such (OpenFile::kOther, `missing`), never left out.
//
// Must not: be used while the group runs; the parts would not fit together. Whoever calls holds it.
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

namespace understudy::host::checkpoint {

struct Descriptor {
  int64_t pid = 0;  // of the member, as given
  int32_t fd = 0;
  bool cloexec = false;
  uint32_t file = 0;  // index in KernelObjects::files
};

// An entry of an epoll set. `file` is -1 when what it watches is not open in the group under any number any more.
struct Watched {
  int32_t fd = 0;  // under which it was added
  uint32_t events = 0;
  uint64_t data = 0;
  int64_t file = -1;
};

struct InotifyWatch {
  int32_t wd = 0;
  uint64_t ino = 0, dev = 0;
  uint32_t mask = 0;
  std::string handle;  // the file's handle (open_by_handle_at): type as 4 bytes, then the handle
  std::string path;    // as the process finds it; empty: not known
};

// An open file description.
struct OpenFile {
  enum Kind : uint8_t {
    kFile = 0,
    kPipe,
    kUnix,
    kInet,
    kEventfd,
    kTimerfd,
    kSignalfd,
    kEpoll,
    kInotify,
    kPidfd,
    kMemfd,
    kOther
  };
  Kind kind = kOther;
  uint32_t flags = 0;  // open's, without O_CLOEXEC
  int64_t position = 0;
  uint64_t ino = 0, dev = 0;
  uint32_t mode = 0;  // st_mode: what a kFile is
  std::string path;   // as in /proc/PID/fd; a memfd's name; what a kOther is
  bool deleted = false;

  // kPipe, kUnix, kInet: index in KernelObjects.
  int64_t object = -1;
  uint64_t count = 0;      // eventfd
  bool semaphore = false;  // eventfd
  uint32_t clock = 0;      // timerfd
  uint32_t settime_flags = 0;
  uint64_t ticks = 0, value_ns = 0, interval_ns = 0;
  uint64_t signals = 0;    // signalfd: bit n - 1 is signal n
  int64_t target_pid = 0;  // pidfd; in the host's numbers. -1: it has ended
  uint64_t seals = 0;      // memfd
  uint64_t bytes = 0;      // memfd, file
  std::vector<Watched> watched;
  std::vector<InotifyWatch> watches;
  uint32_t unread_bytes = 0;  // inotify: events that are lost to a restored one
  // memfd: what is not zeros, by offset. Without it when there is more than kContentsMax (then it is told of in `missing`).
  std::vector<std::pair<int64_t, std::string>> contents;
};

struct Pipe {
  uint64_t ino = 0;
  uint32_t capacity = 0;
  // One piece, but for pipes in packet mode: one for each packet.
  std::vector<std::string> contents;
};

struct UnixSocket {
  uint64_t ino = 0, peer = 0;  // peer: its inode, 0: none
  uint32_t type = 0;           // SOCK_STREAM …
  bool listening = false, connected = false;
  uint32_t backlog = 0, waiting = 0;  // of a listener: connections not accepted yet
  std::string address, peer_address;  // sun_path; begins with a zero byte when abstract
  uint32_t send_buffer = 0, receive_buffer = 0;
  bool pass_credentials = false;
  uint8_t shut = 0;                   // bit 0: no more is received; bit 1: no more is sent
  std::vector<std::string> received;  // not read yet: one piece for a stream, one for each message otherwise
  bool carries_descriptors = false;   // among them; they are not described
  uint32_t unread_by_peer = 0;        // SIOCOUTQ: what was sent and has not been received
};

struct SocketOption {
  int32_t level = 0, name = 0;
  std::string value;
};

struct InetSocket {
  uint64_t ino = 0;
  uint32_t family = 0, type = 0, protocol = 0;
  uint32_t state = 0;                 // TCP's
  std::string local, remote;          // sockaddr, as the kernel gives it
  uint64_t cookie = 0;                // SO_COOKIE
  uint32_t backlog = 0;               // of a listener
  std::vector<SocketOption> options;  // those that are not as of a new socket
};

// Of timer_create.
struct PosixTimer {
  int32_t id = 0, clock = 0, signal = 0, notify = 0;  // notify: SIGEV_
  int64_t target = 0;                                 // the thread that gets the signal, of SIGEV_THREAD_ID
  uint64_t value = 0;                                 // what the signal carries
  std::vector<int64_t> spec;                          // struct itimerspec: interval, what is left
};

// A lock of a file that somebody has.
struct FileLock {
  enum Kind : uint8_t { kPosix = 0, kFlock, kOpenFile, kLease };  // kOpenFile: F_OFD_SETLK's
  Kind kind = kPosix;
  bool exclusive = false;
  uint32_t file = 0;              // index in KernelObjects::files
  int64_t pid = 0;                // kPosix: whose it is, as given
  int32_t fd = 0;                 // a descriptor of the file, of that process
  int64_t start = 0, length = 0;  // length 0: to the end
};

// What the kernel knows of a process beside its descriptors and memory.
struct ProcessAttributes {
  int64_t pid = 0;  // as given
  std::string directory, root;
  uint32_t umask = 022;
  std::vector<uint64_t> limits;                         // soft and hard of each RLIMIT_, in their order; ~0: none
  std::vector<uint32_t> users, groups, further_groups;  // real, effective, saved, file system's; supplementary
  // Not by describe(), which only looks: the process itself has to be asked (read_timers).
  std::vector<int64_t> intervals;  // struct itimerval of each ITIMER_, in their order
  std::vector<PosixTimer> timers;
  uint64_t pending = 0;  // signals that wait for the process or its first thread: bit n - 1 is signal n
  // Of its first thread.
  int32_t nice = 0;
  uint32_t policy = 0, priority = 0;   // SCHED_
  std::vector<uint64_t> capabilities;  // inheritable, permitted, effective, bounding, ambient
  bool no_new_privileges = false;
};

struct SemaphoreSet {
  int32_t id = 0, key = 0;
  uint32_t mode = 0, uid = 0, gid = 0;
  std::vector<uint16_t> values;
};
struct MessageQueue {
  int32_t id = 0, key = 0;
  uint32_t mode = 0, uid = 0, gid = 0;
  uint64_t bytes_max = 0;
  std::vector<std::pair<int64_t, std::string>> messages;
};
struct SharedSegment {
  int32_t id = 0, key = 0;
  uint32_t mode = 0, uid = 0, gid = 0;
  uint64_t bytes = 0;
};

struct KernelObjects {
  std::vector<Descriptor> descriptors;
  std::vector<OpenFile> files;
  std::vector<Pipe> pipes;
  std::vector<UnixSocket> unix_sockets;
  std::vector<InetSocket> inet_sockets;
  // Of the group's own IPC namespace; without one of its own, those that a member created.
  std::vector<SharedSegment> segments;
  std::vector<SemaphoreSet> semaphores;
  std::vector<MessageQueue> queues;
  // What could not be found out, as sentences.
  std::vector<std::string> missing;
  std::vector<ProcessAttributes> processes;
  // Files that the group was started with and that lead out of it (standard input, output, error): a restored one has others. -1: not open.
  std::vector<int64_t> standard;
  std::vector<FileLock> locks;
};

inline constexpr uint64_t kContentsMax = 64 << 20;

// `pids`: the host's numbers of all members. Throws HostError CHECKPOINT_READ when a member cannot be looked at at all.
// `standard`: descriptors of the caller's that mean what the group has as its standard input, output, error.
KernelObjects describe(const std::vector<pid_t>& pids, const std::vector<int>& standard = {});

// One process's, without its timers. What cannot be found out goes to `missing`.
void describe_attributes(pid_t pid, KernelObjects* out);

// Its timers. `tid`: a thread of the process that the caller has stopped with ptrace; `instruction`: see remote_call.h; `scratch`: memory that both
// have, where the process finds it and where the caller does. "" or what could not be found out.
std::string read_timers(pid_t tid, uint64_t instruction, uint64_t scratch, const void* scratch_here,
                        ProcessAttributes* out);

// Msgpack, for a section of the state file.
std::string encode_objects(const KernelObjects& objects);
bool decode_objects(std::string_view bytes, KernelObjects* out);

}  // namespace understudy::host::checkpoint
