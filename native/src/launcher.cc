// See launcher.h.
#include "launcher.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <chrono>
#include <vector>

namespace understudy::host {
namespace {

// Interrupts the launcher's waitpid when an exec failed. The second highest real-time signal: nothing in Node or
// libuv uses it, and unlike SIGUSR1 no user sends it.
int interrupt_signal() { return SIGRTMAX - 1; }

void install_interrupt_handler() {
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    sigaction(interrupt_signal(), &action, nullptr);  // no SA_RESTART: waitpid has to return
  });
}

// mmap(2) for every row of a table at r12, r13 rows; then int3. Position-independent; rax is the result of the last call.
constexpr uint8_t kMapLoop[] = {
    0x49, 0x8b, 0x3c, 0x24,        // mov rdi, [r12]
    0x49, 0x8b, 0x74, 0x24, 0x08,  // mov rsi, [r12+8]
    0x49, 0x8b, 0x54, 0x24, 0x10,  // mov rdx, [r12+16]
    0x4d, 0x8b, 0x54, 0x24, 0x18,  // mov r10, [r12+24]
    0x4d, 0x8b, 0x44, 0x24, 0x20,  // mov r8, [r12+32]
    0x4d, 0x8b, 0x4c, 0x24, 0x28,  // mov r9, [r12+40]
    0xb8, 0x09, 0x00, 0x00, 0x00,  // mov eax, 9
    0x0f, 0x05,                    // syscall
    0x48, 0x39, 0xf8,              // cmp rax, rdi
    0x75, 0x09,                    // jne end
    0x49, 0x83, 0xc4, 0x30,        // add r12, 48
    0x49, 0xff, 0xcd,              // dec r13
    0x75, 0xce,                    // jnz start
    0xcc,                          // end: int3
    0x90, 0x90, 0x90, 0x90, 0x90,
};
static_assert(sizeof kMapLoop % sizeof(long) == 0);

struct MapRow {
  uint64_t addr, len, prot, flags, fd, offset;
};
static_assert(sizeof(MapRow) == 48);

constexpr int kSeizeTries = 500;
constexpr useconds_t kSeizePauseUs = 200;

bool copy_out(pid_t pid, uint64_t addr, void* data, size_t len) {
  iovec local{data, len}, remote{reinterpret_cast<void*>(addr), len};
  return process_vm_readv(pid, &local, 1, &remote, 1, 0) == ssize_t(len);
}
bool copy_in(pid_t pid, uint64_t addr, const void* data, size_t len) {
  iovec local{const_cast<void*>(data), len}, remote{reinterpret_cast<void*>(addr), len};
  return process_vm_writev(pid, &local, 1, &remote, 1, 0) == ssize_t(len);
}
// Text is not writable, only ptrace may change it.
bool poke(pid_t pid, uint64_t addr, const uint8_t* bytes, size_t len) {
  for (size_t i = 0; i < len; i += sizeof(long)) {
    long word;
    memcpy(&word, bytes + i, sizeof word);
    if (ptrace(PTRACE_POKETEXT, pid, addr + i, word) != 0) return false;
  }
  return true;
}

}  // namespace

Launcher::Launcher(MemoryFile& memory, Enclosure& enclosure, Report report)
    : memory_(memory), enclosure_(enclosure), report_(std::move(report)) {
  install_interrupt_handler();
  thread_ = start_thread("us-launcher", [this] { run(); });
}

Launcher::~Launcher() { stop(); }

void Launcher::stop() {
  if (!thread_.joinable()) return;
  {
    // An exec in progress ends when its process does; whoever stops the launcher has killed the group before.
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return command_ == Command::kNone && !tracing_; });
    command_ = Command::kStop;
    changed_.notify_all();
  }
  thread_.join();
}

void Launcher::run() {
  sigset_t interrupt;
  sigemptyset(&interrupt);
  sigaddset(&interrupt, interrupt_signal());
  pthread_sigmask(SIG_UNBLOCK, &interrupt, nullptr);
  native_ = pthread_self();
  for (;;) {
    Command command;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return command_ != Command::kNone; });
      command = command_;
    }
    if (command == Command::kStop) return;
    int result = do_command(command);
    {
      std::lock_guard lock(mutex_);
      command_result_ = result;
      tracing_ = command == Command::kExec && result == 0;
      command_ = Command::kNone;
      changed_.notify_all();
    }
    if (command == Command::kExec && result == 0) {
      trace_exec();
      std::lock_guard lock(mutex_);
      tracing_ = false;
      cancel_requested_ = false;
      changed_.notify_all();
    }
  }
}

int Launcher::do_command(Command command) {
  if (command == Command::kExec) return seize(exec_tid_);
  try {
    launch();
    return 0;
  } catch (const HostError& error) {
    spawn_error_ = error;
    return -error.error;
  }
}

void Launcher::begin_start(const SpawnOptions& options, const std::optional<Namespaces>& namespaces) {
  std::lock_guard lock(mutex_);
  spawn_options_ = options;
  namespaces_ = namespaces;
  command_ = Command::kSpawn;
  changed_.notify_all();
}

pid_t Launcher::finish_start() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return command_ == Command::kNone; });
  if (spawn_error_) throw *spawn_error_;
  return root_;
}

void Launcher::launch() {
  if (namespaces_ && namespaces_->any()) {
    enclosure_.open(*namespaces_, memory_.fd());
    spawn_options_.enclosure = &enclosure_;
  }
  if (between_) between_();
  pid_t pid = spawn(spawn_options_);
  if (spawn_options_.traced) {
    // Without PTRACE_O_TRACEEXEC a traced exec ends in a plain SIGTRAP that is delivered on return to user mode, which is where
    // the registers of the new image are final.
    int status = 0;
    pid_t r;
    while ((r = waitpid(pid, &status, __WALL)) < 0 && errno == EINTR) {}
    bool stopped = r == pid && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
    if (stopped) ptrace(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_EXITKILL);
    if (!stopped || !inject(pid, true)) {
      kill(pid, SIGKILL);
      while (waitpid(pid, nullptr, __WALL) < 0 && errno == EINTR) {}
      throw HostError("LAUNCH", ECHILD, spawn_options_.argv[0],
                      spawn_options_.argv[0] + ": the agent could not be mapped into the new process");
    }
  }
  std::lock_guard lock(mutex_);
  root_ = pid;
}

int Launcher::seize(pid_t tid) {
  long options = PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
  // A checkpoint may look at the thread at this very moment.
  for (int tries = 0;; tries++) {
    if (ptrace(PTRACE_SEIZE, tid, 0, options) == 0) return 0;
    if (errno != EPERM || tries == kSeizeTries) return -errno;
    usleep(kSeizePauseUs);
  }
}

int Launcher::exec_begin(pid_t pid, pid_t tid) {
  std::unique_lock lock(mutex_);
  // The baton lets one exec happen at a time, but the launcher may still be at the detaching end of the one before.
  changed_.wait(lock, [&] { return command_ == Command::kNone && !tracing_; });
  exec_pid_ = pid;
  exec_tid_ = tid;
  command_ = Command::kExec;
  changed_.notify_all();
  changed_.wait(lock, [&] { return command_ == Command::kNone; });
  return command_result_;
}

int Launcher::exec_failed(pid_t tid) {
  std::unique_lock lock(mutex_);
  if (!tracing_ || exec_tid_ != tid) return -ESRCH;
  cancel_requested_ = true;
  // The signal may arrive between the launcher's look at the flag and its waitpid; so it is repeated until it took effect.
  while (tracing_) {
    pthread_kill(native_, interrupt_signal());
    changed_.wait_for(lock, std::chrono::milliseconds(1));
  }
  return 0;
}

void Launcher::note_root(int status, const rusage& usage) {
  std::lock_guard lock(mutex_);
  root_end_ = RootEnd{status, usage};
}

std::optional<RootEnd> Launcher::reap_root() {
  std::lock_guard lock(mutex_);
  if (root_end_ || root_ < 0) return root_end_;
  int status = 0;
  rusage usage{};
  if (wait4(root_, &status, WNOHANG | __WALL, &usage) == root_ && !WIFSTOPPED(status))
    root_end_ = RootEnd{status, usage};
  return root_end_;
}

// Tracees and children of this thread only: other children belong to Node.
pid_t Launcher::wait_any(int* status) {
  rusage usage{};
  pid_t r = wait4(-1, status, __WALL | __WNOTHREAD, &usage);
  if (r < 0) return -errno;
  if (!WIFSTOPPED(*status)) {
    bool is_root;
    {
      std::lock_guard lock(mutex_);
      is_root = r == root_;
    }
    if (is_root) note_root(*status, usage);
  }
  return r;
}

void Launcher::trace_exec() {
  const pid_t pid = exec_pid_, tid = exec_tid_;
  for (;;) {
    {
      bool cancel;
      {
        std::lock_guard lock(mutex_);
        cancel = cancel_requested_;
      }
      if (cancel) return cancel_exec();
    }
    int status = 0;
    pid_t r = wait_any(&status);
    if (r == -EINTR) continue;
    if (r < 0) return;  // ECHILD: the tracee died and was reaped
    if (!WIFSTOPPED(status)) {
      if (r == tid || r == pid) return;
      continue;
    }
    if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_EXEC << 8))) {
      // r is the process id by now, also when another thread than the leader called execve. The image's registers are final
      // only when execve has returned.
      if (ptrace(PTRACE_SYSCALL, r, 0, 0) != 0) return;
      do { r = wait_any(&status); } while (r == -EINTR);
      if (r < 0 || !WIFSTOPPED(status)) return;
      if (WSTOPSIG(status) != (SIGTRAP | 0x80) || !inject(r, false)) {
        report_(abi::kError,
                "the agent could not be mapped into process " + std::to_string(r) + " after execve; it was killed");
        kill(r, SIGKILL);
      }
      return;
    }
    if (status >> 16 == PTRACE_EVENT_STOP) {
      int sig = WSTOPSIG(status);
      bool group_stop = sig == SIGSTOP || sig == SIGTSTP || sig == SIGTTIN || sig == SIGTTOU;
      ptrace(group_stop ? PTRACE_LISTEN : PTRACE_CONT, r, 0, 0);
      continue;
    }
    // A signal on its way to the guest: not ours.
    ptrace(PTRACE_CONT, r, 0, WSTOPSIG(status));
  }
}

void Launcher::cancel_exec() {
  const pid_t tid = exec_tid_;
  if (ptrace(PTRACE_INTERRUPT, tid, 0, 0) != 0) return;
  for (;;) {
    int status = 0;
    pid_t r = wait_any(&status);
    if (r == -EINTR) continue;
    if (r < 0 || !WIFSTOPPED(status)) return;
    if (r != tid) continue;
    int sig = status >> 16 == 0 ? WSTOPSIG(status) : 0;
    ptrace(PTRACE_DETACH, tid, 0, sig);
    return;
  }
}

bool Launcher::inject(pid_t pid, bool first) {
  const abi::Control& control = memory_.control();
  user_regs_struct at_entry{};
  if (ptrace(PTRACE_GETREGS, pid, 0, &at_entry) != 0) return false;

  std::vector<MapRow> rows;
  for (uint32_t i = 0; i < control.map_count; i++) {
    const abi::MapEntry& map = control.maps[i];
    bool anonymous = (map.flags & MAP_ANONYMOUS) != 0;
    rows.push_back({map.addr, map.len, map.prot, map.flags | MAP_FIXED, anonymous ? ~0ull : uint64_t(control.guest_fd),
                    map.file_offset});
  }
  // The page that holds the entry point is mapped from its beginning. The kernel leaves at least 128 KiB of stack below rsp.
  const uint64_t code = at_entry.rip & ~4095ull;
  const size_t table_bytes = rows.size() * sizeof(MapRow);
  const uint64_t table = (at_entry.rsp - 1024 - table_bytes) & ~15ull;
  uint8_t saved_code[sizeof kMapLoop];
  std::vector<uint8_t> saved_stack(table_bytes);
  if (!copy_out(pid, code, saved_code, sizeof saved_code) || !copy_out(pid, table, saved_stack.data(), table_bytes))
    return false;
  if (!copy_in(pid, table, rows.data(), table_bytes) || !poke(pid, code, kMapLoop, sizeof kMapLoop)) return false;

  user_regs_struct regs = at_entry;
  regs.rip = code;
  regs.r12 = table;
  regs.r13 = rows.size();
  regs.orig_rax = ~0ull;  // no system call to restart
  if (ptrace(PTRACE_SETREGS, pid, 0, &regs) != 0) return false;
  // Signals that arrive meanwhile are for the guest; they are sent again when it runs.
  std::vector<int> held;
  for (int sig = 0;;) {
    if (ptrace(PTRACE_CONT, pid, 0, sig) != 0) return false;
    int status = 0;
    pid_t r;
    do { r = wait_any(&status); } while (r == -EINTR || (r > 0 && r != pid));
    if (r < 0 || !WIFSTOPPED(status)) return false;
    if (status >> 16 != 0) continue;
    if (WSTOPSIG(status) == SIGTRAP) break;
    if (WSTOPSIG(status) == SIGSEGV || WSTOPSIG(status) == SIGSYS || WSTOPSIG(status) == SIGBUS) return false;
    held.push_back(WSTOPSIG(status));
  }
  if (ptrace(PTRACE_GETREGS, pid, 0, &regs) != 0) return false;
  if (regs.r13 != 0) {
    report_(abi::kError,
            "mmap of the agent failed in process " + std::to_string(pid) + ": " + errno_text(int(-int64_t(regs.rax))));
    return false;
  }
  if (!poke(pid, code, saved_code, sizeof saved_code) || !copy_in(pid, table, saved_stack.data(), table_bytes))
    return false;

  // What agent_start expects: rdi = the guest's stack pointer, rsi = 1 in the first image of the group, rdx = the thread's id as it knows it,
  // rcx = the image's entry point.
  regs = at_entry;
  regs.rip = control.entry.start;
  regs.rdi = at_entry.rsp;
  regs.rsi = first ? 1 : 0;
  regs.rdx = uint64_t(enclosure_.inside_pid(pid));
  regs.rcx = at_entry.rip;
  regs.orig_rax = ~0ull;
  if (ptrace(PTRACE_SETREGS, pid, 0, &regs) != 0) return false;
  for (int sig : held) kill(pid, sig);
  return ptrace(PTRACE_DETACH, pid, 0, 0) == 0;
}

}  // namespace understudy::host
