// Namespaces of the guest's own, and the one place where its process numbers are translated.
//
// A guest that is to be continued on another host must find there what it was told here: its pids and tids, its host name, its
// IPC objects, its paths. So it lives in namespaces whose first process is understudy-init (native/init). The guest's root process
// is a child of the host still (it is traced, waited for and measured as ever) and gets pid 2 inside.
//
// Invariants:
//  - Everything inside dies with pid 1, and pid 1 dies with the host's launcher thread, thus with the host.
//  - In Control the numbers are those of inside; everything on the host's side (pidfds, signals, ptrace, /proc) uses the host's.
//    They meet in host_pid() and inside_pid() only. Without a PID namespace these two give back what they are given.
//
// Must not: reap anything but pid 1.
#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "common.h"

namespace understudy::host {

// A directory or file of the host that appears at another place inside.
struct Bind {
  std::string source, target;  // absolute; the target exists
  bool read_only = false;
};

struct User {
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;  // supplementary
};

struct Namespaces {
  // A namespace for pids needs one for mounts, because of /proc.
  bool pid = true, mount = true, ipc = true, uts = true;
  std::string hostname;     // empty: the host's
  std::vector<Bind> binds;  // made in this order
  std::optional<User> user;
  std::string init_path;  // understudy-init
  bool any() const { return pid || mount || ipc || uts; }
};

inline constexpr pid_t kRootInside = 2;

class Enclosure {
 public:
  Enclosure() = default;
  ~Enclosure() { close(); }
  Enclosure(const Enclosure&) = delete;
  Enclosure& operator=(const Enclosure&) = delete;

  // Makes the namespaces and starts their first process, which dies with the calling thread. Throws HostError LAUNCH.
  void open(const Namespaces& wanted, int memory_fd);
  // Kills everything inside, and waits. Whoever is a child of the host must have been reaped, or be about to be: pid 1 ends last.
  void close();
  // SIGKILL for everything inside, without waiting. Any thread.
  void kill_all() const;

  bool has_pids() const { return bool(pid_ns_); }
  bool has_mounts() const { return mounts_; }
  // The host's number of a process or thread of inside; -1 when there is none.
  pid_t host_pid(pid_t inside) const;
  // The number inside of a process or thread of the host; -1 when it is not inside.
  pid_t inside_pid(pid_t host) const;
  // What absolute paths of inside are below, for the host: "" or /proc/PID/root.
  std::string root() const;

  // For spawn(): the namespaces that a child joins by itself, as a descriptor and flags for setns(2); flags 0: none.
  int init_pidfd() const { return init_pidfd_.get(); }
  int joined_by_child() const { return joined_by_child_; }
  // For spawn(): children that this thread makes from here on are born in the PID namespace, or in the host's again.
  void enter_for_children() const;
  void leave_for_children() const;

 private:
  pid_t init_ = -1;
  bool mounts_ = false;
  int joined_by_child_ = 0;
  UniqueFd init_pidfd_, pid_ns_, own_pid_ns_;
};

// What a replay's agent opens by its path, at places that no bind hides and that any user may go through, since the guest may be, or
// become, any: below /run/understudy/stage, with the journal's blobs, a scratch directory and the stub bound there. Only inside, so
// every namespace has its own at the same place, and the host has empty mount points that are made once and stay.
inline constexpr char kStageBlobs[] = "/run/understudy/stage/blobs", kStageScratch[] = "/run/understudy/stage/scratch",
                      kStageStub[] = "/run/understudy/stage/stub";
// The binds. The scratch directory is closed to others, and one in it made that is open to all; the blobs' directory may be searched
// by all. Throws HostError LAUNCH.
std::vector<Bind> stage(const std::string& blob_dir, const std::string& scratch_dir, const std::string& stub_path);

// Kernels before 6.11 cannot be asked: then /proc says it. `pid_ns` is a descriptor of the namespace, `init` its first process as
// the host sees it. Apart from the class so that a test reaches it.
pid_t scan_for_host_pid(int pid_ns, pid_t init, pid_t inside);

}  // namespace understudy::host
