// See spawn.h.
#include "spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "raw.h"

namespace understudy::host {
namespace {

constexpr size_t kStackBytes = 64 * 1024;

struct ChildPlan {
  const std::vector<const char*>* candidates;
  char* const* argv;
  char* const* sh_argv;  // for a script without an interpreter line; [1] is set by the child
  char* const* envp;
  const char* cwd;
  pid_t parent;  // as the child sees it
  int memory_fd, guest_fd;
  int program_fd;              // -1: `candidates` are tried
  int init_pidfd, namespaces;  // joined when not 0
  const User* user;
  uint64_t ignored_signals;
  bool traced, own_session, only_standard;
  int output_fd;
  bool set_nofile;
  rlimit nofile;
  // Results: the memory is shared until exec.
  int error = 0;
  const char* failed_call = "execve";
};

// As execvp(3): which failures of one candidate let the next one be tried.
bool try_next(long error) {
  return error == -ENOENT || error == -ENOTDIR || error == -EACCES || error == -ENODEV || error == -ETIMEDOUT ||
         error == -ESTALE;
}

int child_main(void* argument) {
  auto& plan = *static_cast<ChildPlan*>(argument);
  auto fail = [&](long result, const char* what) {
    plan.error = int(-result);
    plan.failed_call = what;
    raw(SYS_exit_group, 127);
    return 127;
  };

  // Node replaced the dispositions it was started with by defaults, and ignores SIGPIPE; a guest that inherits an ignored
  // SIGPIPE behaves differently. What it was started with is known to whoever starts the guest.
  struct KernelSigaction {
    void* handler;
    unsigned long flags;
    void* restorer;
    unsigned long mask;
  } def{};
  for (int sig = 1; sig <= 64; sig++) {
    def.handler = (plan.ignored_signals >> (sig - 1) & 1) != 0 ? reinterpret_cast<void*>(1)
                                                               : nullptr;  // SIG_IGN, SIG_DFL
    raw(SYS_rt_sigaction, sig, long(&def), 0, 8);
  }
  unsigned long no_signals = 0;
  raw(SYS_rt_sigprocmask, SIG_SETMASK, long(&no_signals), 0, 8);

  long persona = raw(SYS_personality, 0xffffffff);
  if (persona >= 0) persona = raw(SYS_personality, persona | ADDR_NO_RANDOMIZE);
  if (persona < 0) return fail(persona, "personality");
  if (plan.namespaces != 0) {
    long r = raw(SYS_setns, plan.init_pidfd, plan.namespaces);
    if (r < 0) return fail(r, "setns");
  }
  if (plan.user != nullptr) {
    const User& user = *plan.user;
    long r = raw(SYS_setgroups, long(user.groups.size()), long(user.groups.data()));
    if (r < 0) return fail(r, "setgroups");
    r = raw(SYS_setresgid, user.gid, user.gid, user.gid);
    if (r < 0) return fail(r, "setresgid");
    r = raw(SYS_setresuid, user.uid, user.uid, user.uid);
    if (r < 0) return fail(r, "setresuid");
  }
  // After the change of user, which clears it.
  raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
  // The host may have died before the line above; then nobody is left to send the signal.
  if (raw(SYS_getppid) != plan.parent) return fail(-ECHILD, "getppid");

  if (plan.own_session) {
    raw(SYS_setsid);
    long null_fd = raw(SYS_open, long("/dev/null"), O_RDONLY);
    if (null_fd < 0) return fail(null_fd, "/dev/null");
    raw(SYS_dup2, null_fd, 0);
  }
  if (plan.output_fd >= 0) {
    raw(SYS_dup2, plan.output_fd, 1);
    raw(SYS_dup2, plan.output_fd, 2);
  }
  // Node marks the standard descriptors close-on-exec at its start, for children that it spawns in its own way.
  for (int fd = 0; fd <= 2; fd++) raw(SYS_fcntl, fd, F_SETFD, 0);
  if (plan.cwd != nullptr) {
    long r = raw(SYS_chdir, long(plan.cwd));
    if (r < 0) return fail(r, "chdir");
  }
  if (plan.memory_fd >= 0) {
    long r = raw(SYS_dup2, plan.memory_fd, plan.guest_fd);
    if (r < 0) return fail(r, "dup2");
  }
  if (plan.own_session || plan.only_standard) {
    // A replay uses no descriptor but these. Not closed at once: the program itself may be one.
    raw(SYS_close_range, 3, plan.guest_fd - 1, CLOSE_RANGE_CLOEXEC);
    raw(SYS_close_range, plan.guest_fd + 1, ~0u, CLOSE_RANGE_CLOEXEC);
  }
  if (plan.set_nofile) raw(SYS_prlimit64, 0, RLIMIT_NOFILE, long(&plan.nofile), 0);
  if (plan.traced) {
    long r = raw(SYS_ptrace, PTRACE_TRACEME);
    if (r < 0) return fail(r, "ptrace");
  }

  if (plan.program_fd >= 0) {
    const long none = long("");
    return fail(raw(SYS_execveat, plan.program_fd, none, long(plan.argv), long(plan.envp), AT_EMPTY_PATH), "execve");
  }
  long worst = -ENOENT;
  for (const char* path : *plan.candidates) {
    long r = raw(SYS_execve, long(path), long(plan.argv), long(plan.envp));
    if (r == -ENOEXEC) {
      const_cast<char**>(plan.sh_argv)[1] = const_cast<char*>(path);
      r = raw(SYS_execve, long("/bin/sh"), long(plan.sh_argv), long(plan.envp));
      return fail(r == -ENOENT ? -ENOEXEC : r, "execve");
    }
    if (!try_next(r)) return fail(r, "execve");
    // "Permission denied" says more about what went wrong than that later directories do not have the file.
    if (r != -ENOENT && r != -ENOTDIR) worst = r;
  }
  return fail(worst, "execve");
}

std::vector<std::string> candidate_paths(const SpawnOptions& options) {
  const std::string& name = options.argv.at(0);
  if (name.find('/') != std::string::npos) return {name};
  std::string path = "/bin:/usr/bin";  // confstr(_CS_PATH) of glibc
  for (const std::string& variable : options.env) {
    if (variable.rfind("PATH=", 0) == 0) path = variable.substr(5);
  }
  std::vector<std::string> out;
  for (size_t begin = 0; begin <= path.size();) {
    size_t end = path.find(':', begin);
    if (end == std::string::npos) end = path.size();
    std::string dir = path.substr(begin, end - begin);
    // An empty element means the working directory.
    if (dir.empty()) dir = ".";
    out.push_back(dir.append("/").append(name));
    begin = end + 1;
  }
  return out;
}

// Node raises the soft limit on descriptors to the hard one when it starts. What it found is still the limit of whoever
// started it, unless that is a Node too.
bool original_nofile(rlimit* out) {
  rlimit own{}, parents{};
  if (getrlimit(RLIMIT_NOFILE, &own) != 0) return false;
  if (prlimit(getppid(), RLIMIT_NOFILE, nullptr, &parents) != 0) return false;
  if (parents.rlim_max != own.rlim_max || parents.rlim_cur >= own.rlim_cur) return false;
  *out = {parents.rlim_cur, own.rlim_max};
  return true;
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (const std::string& s : strings) out.push_back(const_cast<char*>(s.c_str()));
  out.push_back(nullptr);
  return out;
}

}  // namespace

pid_t spawn(const SpawnOptions& options) {
  std::vector<std::string> paths = candidate_paths(options);
  std::vector<const char*> candidates;
  candidates.reserve(paths.size());
  for (const std::string& path : paths) candidates.push_back(path.c_str());
  std::vector<char*> argv = pointers(options.argv), envp = pointers(options.env);
  std::vector<char*> sh_argv = {const_cast<char*>("/bin/sh"), nullptr};
  sh_argv.insert(sh_argv.end(), argv.begin() + 1, argv.end());

  ChildPlan plan{};
  plan.candidates = &candidates;
  plan.argv = argv.data();
  plan.sh_argv = sh_argv.data();
  plan.envp = envp.data();
  plan.cwd = options.cwd.empty() ? nullptr : options.cwd.c_str();
  const Enclosure* enclosure = options.enclosure;
  // A parent that is outside of the namespace has no number in it.
  plan.parent = enclosure != nullptr && enclosure->has_pids() ? 0 : getpid();
  plan.namespaces = enclosure != nullptr ? enclosure->joined_by_child() : 0;
  plan.init_pidfd = enclosure != nullptr ? enclosure->init_pidfd() : -1;
  plan.user = options.user ? &*options.user : nullptr;
  UniqueFd program;
  if (!options.program.empty()) {
    program.reset(open(options.program.c_str(), O_PATH | O_CLOEXEC));
    if (!program) throw HostError("LAUNCH", errno, options.program, options.program + ": " + errno_text(errno));
  }
  plan.program_fd = program.get();
  plan.memory_fd = options.memory_fd;
  plan.guest_fd = options.guest_fd;
  plan.ignored_signals = options.ignored_signals;
  plan.traced = options.traced;
  plan.own_session = options.own_session;
  plan.only_standard = options.only_standard;
  plan.output_fd = options.output_fd;
  plan.set_nofile = options.own_limits && original_nofile(&plan.nofile);

  void* stack = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) throw HostError("LAUNCH", errno, "", "cannot start a process: " + errno_text(errno));
  // Signals stay blocked in this thread (start_thread), so no handler of Node's runs in the child on shared memory.
  // As vfork, but on a stack of its own. This thread sleeps until the child has called exec or exit.
  if (enclosure != nullptr) enclosure->enter_for_children();
  pid_t pid = clone(child_main, static_cast<char*>(stack) + kStackBytes, CLONE_VM | CLONE_VFORK | SIGCHLD, &plan);
  int clone_error = errno;
  if (enclosure != nullptr) enclosure->leave_for_children();
  munmap(stack, kStackBytes);
  if (pid < 0) throw HostError("LAUNCH", clone_error, "", "cannot start a process: " + errno_text(clone_error));
  if (plan.error != 0) {
    while (waitpid(pid, nullptr, __WALL) < 0 && errno == EINTR) {}
    bool chdir_failed = strcmp(plan.failed_call, "chdir") == 0;
    const std::string& what = chdir_failed ? options.cwd : options.argv[0];
    std::string call = strcmp(plan.failed_call, "execve") == 0 ? "" : std::string(" (") + plan.failed_call + ")";
    if (strcmp(plan.failed_call, "ptrace") == 0)
      call +=
          "; a recording needs ptrace for the moment of each exec: a container's seccomp profile may forbid it, and it "
          "cannot run "
          "below strace or a debugger that follows its children";
    throw HostError("LAUNCH", plan.error, what, what + ": " + errno_text(plan.error) + call);
  }
  return pid;
}

// ---- Guard ---------------------------------------------------------------------------------------------------------
namespace {

struct GuardPlan {
  const abi::Control* control;
  int host_pidfd;
};

// Shares the host's memory, and keeps it when the host is gone. Only raw calls, no libc state.
int guard_main(void* argument) {
  const auto& plan = *static_cast<const GuardPlan*>(argument);
  const abi::Control* control = plan.control;
  unsigned long all = ~0ul;
  raw(SYS_rt_sigprocmask, SIG_SETMASK, long(&all), 0, 8);
  // The terminal's hang-up and Ctrl-C are for the host; the guard only watches it.
  raw(SYS_setsid);
  // Every other descriptor would keep pipes of the host's user open.
  int keep = plan.host_pidfd;
  if (keep > 0) raw(SYS_close_range, 0, keep - 1, 0);
  raw(SYS_close_range, keep + 1, ~0u, 0);
  pollfd wait{keep, POLLIN, 0};
  for (;;) {
    long r = raw(SYS_ppoll, long(&wait), 1, 0, 0, 8);
    if (r > 0) break;
    if (r < 0 && r != -EINTR) return 1;
  }
  // Until a whole round finds nobody: a process may have been forking while the others died.
  for (int round = 0, idle = 0; round < 1000 && idle < 3; round++) {
    bool found = false;
    for (const abi::ProcessSlot& slot : control->processes) {
      if (__atomic_load_n(&slot.state, __ATOMIC_ACQUIRE) != abi::kThreadLive) continue;
      int pid = __atomic_load_n(&slot.pid, __ATOMIC_RELAXED);
      if (pid > 1 && raw(SYS_kill, pid, SIGKILL) == 0) found = true;
    }
    idle = found ? 0 : idle + 1;
    timespec pause{0, 1000000};
    raw(SYS_nanosleep, long(&pause), 0);
  }
  return 0;
}

}  // namespace

Guard::Guard(const abi::Control* control) {
  host_pidfd_ = UniqueFd(int(syscall(SYS_pidfd_open, getpid(), 0)));
  if (!host_pidfd_)
    throw HostError("LAUNCH", errno, "", "cannot watch the recorder itself (pidfd_open): " + errno_text(errno));
  stack_ = mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack_ == MAP_FAILED) throw HostError("LAUNCH", errno, "", "cannot start the guard: " + errno_text(errno));
  auto* plan = new (stack_) GuardPlan{control, host_pidfd_.get()};
  // No handler of Node's may run in the guard, also not before it has blocked signals itself. No exit signal: the end of the guard
  // is no child's end that Node should hear of.
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &old);
  pid_ = clone(guard_main, static_cast<char*>(stack_) + kStackBytes, CLONE_VM, plan);
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
  if (pid_ < 0) throw HostError("LAUNCH", errno, "", "cannot start the guard: " + errno_text(errno));
}

Guard::~Guard() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    while (waitpid(pid_, nullptr, __WALL) < 0 && errno == EINTR) {}
  }
  if (stack_ != nullptr) munmap(stack_, kStackBytes);
}

}  // namespace understudy::host
