// See namespaces.h.
#include "namespaces.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <linux/types.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "raw.h"

namespace understudy::host {
namespace {

constexpr size_t kStackBytes = 64 * 1024;
// Linux 6.11; older headers do not have them.
constexpr unsigned long kNsGetPidFromPidns = _IOR(0xb7, 0x6, int), kNsGetPidInPidns = _IOR(0xb7, 0x8, int);
// Linux 5.12: the one way to make a whole tree of mounts read-only without losing the flags of each.
struct MountAttributes {
  uint64_t set, clear, propagation, userns_fd;
};
constexpr long kSysMountSetattr = 442;
constexpr uint64_t kMountReadOnly = 1;
// What the init program finds its descriptors at.
constexpr int kInitMemoryFd = 3, kInitHostFd = 4;

struct InitPlan {
  const Namespaces* wanted;
  int init_fd, memory_fd, host_pidfd;
  // Results: the memory is shared until exec.
  int error = 0;
  const char* failed_call = "";
  const char* failed_path = "";
};

// Between clone and exec, on the host's memory: raw calls only. It makes what needs no process numbers yet and then becomes
// understudy-init.
int init_main(void* argument) {
  auto& plan = *static_cast<InitPlan*>(argument);
  auto fail = [&](long result, const char* call, const char* path) {
    plan.error = int(-result);
    plan.failed_call = call;
    plan.failed_path = path;
    raw(SYS_exit_group, 127);
    return 127;
  };
  const Namespaces& wanted = *plan.wanted;

  // Node's handlers must not run in here, and are not inherited by a program anyway. Children that end are reaped by the kernel
  // as long as SIGCHLD is ignored: nobody asks how an orphan ended.
  struct KernelSigaction {
    void* handler;
    unsigned long flags;
    void* restorer;
    unsigned long mask;
  } action{};
  for (int sig = 1; sig <= 64; sig++) {
    action.handler = reinterpret_cast<void*>(sig == SIGCHLD ? SIG_IGN : SIG_DFL);
    raw(SYS_rt_sigaction, sig, long(&action), 0, 8);
  }
  raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
  // The host may have died before the line above; then nobody is left to send the signal.
  pollfd host{plan.host_pidfd, POLLIN, 0};
  timespec now{0, 0};
  if (raw(SYS_ppoll, long(&host), 1, long(&now), 0, 8) != 0) return fail(-ECHILD, "ppoll", "");
  raw(SYS_setsid);

  if (wanted.mount) {
    // What the host's administrator mounts or unmounts takes effect inside too; what is mounted here stays here.
    long r = raw(SYS_mount, 0, long("/"), 0, MS_REC | MS_SLAVE, 0);
    if (r < 0) return fail(r, "mount", "/");
    if (wanted.pid) {
      r = raw(SYS_mount, long("proc"), long("/proc"), long("proc"), MS_NOSUID | MS_NODEV | MS_NOEXEC, 0);
      if (r < 0) return fail(r, "mount", "/proc");
    }
    if (wanted.ipc) {
      // POSIX shared memory and queues are files: without mounts of their own they would not belong to the namespace.
      r = raw(SYS_mount, long("shm"), long("/dev/shm"), long("tmpfs"), MS_NOSUID | MS_NODEV, long("mode=1777"));
      if (r < 0 && r != -ENOENT) return fail(r, "mount", "/dev/shm");
      r = raw(SYS_mount, long("mqueue"), long("/dev/mqueue"), long("mqueue"), MS_NOSUID | MS_NODEV | MS_NOEXEC, 0);
      if (r < 0 && r != -ENOENT && r != -ENODEV) return fail(r, "mount", "/dev/mqueue");
    }
    for (const Bind& bind : wanted.binds) {
      r = raw(SYS_mount, long(bind.source.c_str()), long(bind.target.c_str()), 0, MS_BIND | MS_REC, 0);
      // Either may be what is missing.
      if (r < 0)
        return fail(r, "mount",
                    raw(SYS_access, long(bind.source.c_str()), F_OK) < 0 ? bind.source.c_str() : bind.target.c_str());
      if (!bind.read_only) continue;
      MountAttributes read_only{kMountReadOnly, 0, 0, 0};
      r = raw(kSysMountSetattr, AT_FDCWD, long(bind.target.c_str()), AT_RECURSIVE, long(&read_only), sizeof read_only);
      if (r < 0) return fail(r, "mount_setattr", bind.target.c_str());
    }
  }
  if (wanted.uts && !wanted.hostname.empty()) {
    long r = raw(SYS_sethostname, long(wanted.hostname.c_str()), long(wanted.hostname.size()));
    if (r < 0) return fail(r, "sethostname", wanted.hostname.c_str());
  }
  raw(SYS_chdir, long("/"));

  // Descriptors of the host's user would stay open as long as this process lives.
  const long null_fd = raw(SYS_open, long("/dev/null"), O_RDWR | O_CLOEXEC);
  if (null_fd < 0) return fail(null_fd, "open", "/dev/null");
  // Out of the way of the numbers that they are to get, and of each other.
  const long memory = raw(SYS_fcntl, plan.memory_fd, F_DUPFD_CLOEXEC, kInitHostFd + 1);
  const long watched = raw(SYS_fcntl, plan.host_pidfd, F_DUPFD_CLOEXEC, kInitHostFd + 1);
  const long program = raw(SYS_fcntl, plan.init_fd, F_DUPFD_CLOEXEC, kInitHostFd + 1);
  if (memory < 0 || watched < 0 || program < 0)
    return fail(memory < 0 ? memory : watched < 0 ? watched : program, "fcntl", "");
  for (int fd = 0; fd <= 2; fd++) raw(SYS_dup2, null_fd, fd);
  raw(SYS_dup2, memory, kInitMemoryFd);
  raw(SYS_dup2, watched, kInitHostFd);
  raw(SYS_close_range, kInitHostFd + 1, ~0u, CLOSE_RANGE_CLOEXEC);
  const char* argv[] = {"understudy-init", nullptr};
  const char* envp[] = {nullptr};
  return fail(raw(SYS_execveat, program, long(""), long(argv), long(envp), AT_EMPTY_PATH), "execve",
              wanted.init_path.c_str());
}

[[noreturn]] void cannot(int error, const std::string& path, const std::string& what) {
  throw HostError("LAUNCH", error, path, what + ": " + errno_text(error));
}

// "understudy ... NSpid:\t31210\t2\n": the numbers from the outermost namespace that the reader sees inwards.
std::vector<pid_t> pids_of_status(const std::string& path) {
  std::string status;
  std::vector<pid_t> out;
  if (!read_file(path, &status)) return out;
  size_t at = status.find("\nNSpid:");
  if (at == std::string::npos) return out;
  const char* p = status.c_str() + at + strlen("\nNSpid:");
  while (*p == '\t') {
    char* end = nullptr;
    out.push_back(pid_t(strtol(p + 1, &end, 10)));
    p = end;
  }
  return out;
}

template <class Visit>
void each_number(const std::string& dir, Visit visit) {
  DIR* d = opendir(dir.c_str());
  if (d == nullptr) return;
  while (const dirent* entry = readdir(d)) {
    const pid_t number = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' ? atoi(entry->d_name) : 0;
    if (number > 0 && !visit(number)) break;
  }
  closedir(d);
}

}  // namespace

void Enclosure::open(const Namespaces& wanted, int memory_fd) {
  if (wanted.pid && !wanted.mount)
    throw HostError("LAUNCH", EINVAL, "", "a PID namespace needs a mount namespace, because of /proc: ask for both");
  if (!wanted.mount && !wanted.binds.empty())
    throw HostError("LAUNCH", EINVAL, "", "binds need a mount namespace: ask for it");
  UniqueFd init_fd(::open(wanted.init_path.c_str(), O_PATH | O_CLOEXEC));
  if (!init_fd)
    throw HostError("IMAGE", errno, wanted.init_path, wanted.init_path + ": " + errno_text(errno) + "; rebuild");
  UniqueFd host_pidfd(int(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!host_pidfd) cannot(errno, "", "cannot watch the host itself (pidfd_open)");

  InitPlan plan{&wanted, init_fd.get(), memory_fd, host_pidfd.get()};
  void* stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) cannot(errno, "", "cannot start the namespaces' first process");
  const int others = (wanted.mount ? CLONE_NEWNS : 0) | (wanted.ipc ? CLONE_NEWIPC : 0) |
                     (wanted.uts ? CLONE_NEWUTS : 0);
  // No exit signal: its end is no child's end that Node should hear of. This thread sleeps until the child has called exec or
  // exit; signals are blocked in it (start_thread).
  const int flags = CLONE_VM | CLONE_VFORK | others | (wanted.pid ? CLONE_NEWPID : 0);
  const pid_t pid = clone(init_main, static_cast<char*>(stack) + kStackBytes, flags, &plan);
  const int clone_error = errno;
  munmap(stack, kStackBytes);
  if (pid < 0) {
    const char* hint = clone_error == EPERM ? " (namespaces need root, or CAP_SYS_ADMIN)" : "";
    throw HostError("LAUNCH", clone_error, "", "cannot make namespaces: " + errno_text(clone_error) + hint);
  }
  init_ = pid;
  if (plan.error != 0) {
    close();
    const std::string path = plan.failed_path;
    cannot(plan.error, path,
           "cannot set up the guest's namespaces: " + (path.empty() ? "" : path + ": ") + plan.failed_call);
  }
  try {
    init_pidfd_ = UniqueFd(int(syscall(SYS_pidfd_open, init_, 0)));
    if (!init_pidfd_) cannot(errno, "", "cannot watch the namespaces' first process (pidfd_open)");
    if (wanted.pid) {
      own_pid_ns_ = UniqueFd(::open("/proc/thread-self/ns/pid", O_RDONLY | O_CLOEXEC));
      const std::string path = "/proc/" + std::to_string(init_) + "/ns/pid";
      UniqueFd ns(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
      if (!ns || !own_pid_ns_) cannot(errno, path, "cannot open the guest's PID namespace");
      pid_ns_ = std::move(ns);
    }
  } catch (...) {
    close();
    throw;
  }
  mounts_ = wanted.mount;
  joined_by_child_ = others;
}

void Enclosure::kill_all() const {
  if (init_pidfd_) syscall(SYS_pidfd_send_signal, init_pidfd_.get(), SIGKILL, nullptr, 0);
}

void Enclosure::close() {
  if (init_ <= 0) return;
  kill(init_, SIGKILL);
  // ECHILD: the launcher's thread has waited for it already.
  while (waitpid(init_, nullptr, __WALL) < 0 && errno == EINTR) {}
  init_ = -1;
  init_pidfd_.reset();
  pid_ns_.reset();
}

pid_t Enclosure::host_pid(pid_t inside) const {
  if (!has_pids()) return inside;
  if (inside <= 0) return -1;
  const int pid = ioctl(pid_ns_.get(), kNsGetPidFromPidns, inside);
  if (pid > 0) return pid;
  return errno == ENOTTY ? scan_for_host_pid(pid_ns_.get(), init_, inside) : -1;
}

pid_t Enclosure::inside_pid(pid_t host) const {
  if (!has_pids()) return host;
  if (host <= 0) return -1;
  const int pid = ioctl(pid_ns_.get(), kNsGetPidInPidns, host);
  if (pid > 0) return pid;
  if (errno != ENOTTY) return -1;
  const size_t level = pids_of_status("/proc/" + std::to_string(init_) + "/status").size();
  const std::vector<pid_t> pids = pids_of_status("/proc/" + std::to_string(host) + "/status");
  return level > 0 && pids.size() >= level ? pids[level - 1] : -1;
}

std::string Enclosure::root() const { return mounts_ ? "/proc/" + std::to_string(init_) + "/root" : ""; }

void Enclosure::enter_for_children() const {
  if (has_pids() && setns(pid_ns_.get(), CLONE_NEWPID) != 0)
    cannot(errno, "", "cannot enter the guest's PID namespace (setns)");
}

void Enclosure::leave_for_children() const {
  // It was this thread's own a moment ago; failure would mean that later children are lost in a dead namespace.
  if (has_pids() && setns(own_pid_ns_.get(), CLONE_NEWPID) != 0) abort();
}

std::vector<Bind> stage(const std::string& blob_dir, const std::string& scratch_dir, const std::string& stub_path) {
  struct stat st;
  // Only searched, for names that are known, of files that all may read: the journal above stays its owner's.
  if (stat(blob_dir.c_str(), &st) != 0 ||
      ((st.st_mode & 0111) != 0111 && chmod(blob_dir.c_str(), (st.st_mode & 07777) | 0111) != 0))
    cannot(errno, blob_dir, "cannot make the journal's blobs accessible to the guest's users: " + blob_dir);
  const std::string open_dir = scratch_dir + "/open";
  if (chmod(scratch_dir.c_str(), 0700) != 0 || (mkdir(open_dir.c_str(), 0777) != 0 && errno != EEXIST) ||
      chmod(open_dir.c_str(), 0777) != 0)
    cannot(errno, open_dir, "cannot prepare the scratch directory " + open_dir);
  for (const char* dir : {"/run/understudy", "/run/understudy/stage", kStageBlobs, kStageScratch}) {
    // Whatever the umask: the guest's user goes through them.
    if (mkdir(dir, 0755) == 0 ? chmod(dir, 0755) != 0 : errno != EEXIST)
      cannot(errno, dir, std::string("cannot make ") + dir);
  }
  UniqueFd mount_point(::open(kStageStub, O_RDONLY | O_CREAT | O_CLOEXEC, 0444));
  if (!mount_point) cannot(errno, kStageStub, std::string("cannot make ") + kStageStub);
  return {{blob_dir, kStageBlobs, true}, {open_dir, kStageScratch, false}, {stub_path, kStageStub, true}};
}

pid_t scan_for_host_pid(int pid_ns, pid_t init, pid_t inside) {
  struct stat ours;
  if (fstat(pid_ns, &ours) != 0) return -1;
  const size_t level = pids_of_status("/proc/" + std::to_string(init) + "/status").size();
  if (level == 0) return -1;
  pid_t found = -1;
  each_number("/proc", [&](pid_t process) {
    const std::string dir = "/proc/" + std::to_string(process);
    struct stat theirs;
    // A zombie has no namespaces any more; its numbers it keeps.
    const bool known = stat((dir + "/ns/pid").c_str(), &theirs) == 0;
    const std::vector<pid_t> leader = pids_of_status(dir + "/status");
    if (leader.size() < level || (known && leader.size() == level && theirs.st_ino != ours.st_ino)) return true;
    each_number(dir + "/task", [&](pid_t thread) {
      const std::vector<pid_t> pids = pids_of_status(dir + "/task/" + std::to_string(thread) + "/status");
      if (pids.size() >= level && pids[level - 1] == inside) found = thread;
      return found < 0;
    });
    return found < 0;
  });
  return found;
}

}  // namespace understudy::host
