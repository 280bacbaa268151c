// The one thread that starts the guest and traces it for the moment of each exec, to map the agent in.
//
// Invariants:
//  - All ptrace calls come from this thread: Linux ties a tracer to a thread, not to a process.
//  - The thread lives until stop(); the root process dies with it (parent-death signal).
//  - A guest is traced only between kRpcExecBegin and the agent's first instruction in the new image.
//
// Must not: block for anything but commands and the tracee of the exec in progress.
#pragma once
#include <sys/resource.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>

#include "memory_file.h"
#include "spawn.h"

namespace understudy::host {

struct RootEnd {
  int status;  // wait4 encoding
  rusage usage;
};

class Launcher {
 public:
  using Report = std::function<void(abi::MessageLevel, const std::string&)>;
  Launcher(MemoryFile& memory, Enclosure& enclosure, Report report);
  ~Launcher();

  // Starts the root process; in record mode with the agent mapped in and running. With namespaces, those and their first process
  // before. Throws HostError LAUNCH.
  // `between`, on the launcher's thread: the namespaces are there, and no process of the guest's is. It may throw HostError.
  pid_t start(const SpawnOptions& options, const std::optional<Namespaces>& namespaces,
              std::function<void()> between = {}) {
    between_ = std::move(between);
    begin_start(options, namespaces);
    return finish_start();
  }
  // The same in two steps, for a caller that has other things to do while a process is made.
  void begin_start(const SpawnOptions& options, const std::optional<Namespaces>& namespaces);
  pid_t finish_start();

  // kRpcExecBegin, kRpcExecFailed: 0 or a negative errno. The host's numbers, as everywhere here.
  int exec_begin(pid_t pid, pid_t tid);
  int exec_failed(pid_t tid);

  // The end of the root process, once it is a zombie (its pidfd is readable). Any thread.
  std::optional<RootEnd> reap_root();

  void stop();

 private:
  enum class Command { kNone, kSpawn, kExec, kStop };
  void run();
  int do_command(Command command);
  void launch();
  int seize(pid_t tid);
  void trace_exec();
  // Detaches from the tracee whose exec failed.
  void cancel_exec();
  // The tracee is stopped at the first instruction of a new image: maps the table, lets it run in the agent.
  bool inject(pid_t pid, bool first);
  pid_t wait_any(int* status);
  void note_root(int status, const rusage& usage);

  MemoryFile& memory_;
  Enclosure& enclosure_;
  Report report_;
  SpawnOptions spawn_options_;
  std::function<void()> between_;
  std::optional<Namespaces> namespaces_;
  std::optional<HostError> spawn_error_;

  std::mutex mutex_;
  std::condition_variable changed_;
  Command command_ = Command::kNone;
  int command_result_ = 0;
  pid_t exec_pid_ = 0, exec_tid_ = 0;
  bool tracing_ = false;  // an exec is in progress
  bool cancel_requested_ = false;
  pid_t root_ = -1;
  std::optional<RootEnd> root_end_;
  pthread_t native_{};
  std::thread thread_;
};

}  // namespace understudy::host
