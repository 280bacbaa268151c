// Starting a process from the middle of a multi-threaded Node: the guest's root process, the replay stub, the guard.
//
// Invariants:
//  - Between clone and exec only raw system calls run: the child shares the memory of a process whose locks may be held.
//  - The caller's thread must live as long as the child: the parent-death signal is sent when that *thread* ends.
//  - The child begins as if started by a shell: default signal dispositions and empty mask, the limits that Node found.
//
// Must not: reap anything.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "common.h"
#include "namespaces.h"
#include "understudy/abi.h"

namespace understudy::host {

struct SpawnOptions {
  std::vector<std::string> argv;
  std::vector<std::string> env;
  std::string cwd;     // empty: inherited
  int memory_fd = -1;  // duplicated to guest_fd in the child
  int guest_fd = -1;
  uint64_t ignored_signals = 0;  // a bit for each signal that the child starts with ignored: 1 is SIGHUP
  bool traced = false;         // PTRACE_TRACEME: the child stops with SIGTRAP before the new image's first instruction
  bool own_session = false;    // setsid, standard input from /dev/null, no other descriptor inherited (replay, pairs)
  bool own_limits = true;      // the limit of descriptors as the host found it, not as Node raised it
  bool only_standard = false;  // of descriptors, no other is inherited than the standard ones
  int output_fd = -1;          // standard output and error; -1: inherited
  const Enclosure* enclosure = nullptr;  // open: the child is born inside; argv[0] and cwd are paths of inside
  std::optional<User> user;
  // The program as the host finds it, which need not be there inside. Empty: argv[0] is looked up.
  std::string program;
};

// The child's pid. Throws HostError LAUNCH when the program cannot be executed.
pid_t spawn(const SpawnOptions& options);

// A process that outlives the host by a moment: when the host dies, however, it kills every live process of the group, so
// that no guest goes on without its journal. (The parent-death signal binds the root process only.)
class Guard {
 public:
  explicit Guard(const abi::Control* control);
  ~Guard();
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;

 private:
  pid_t pid_ = -1;
  UniqueFd host_pidfd_;
  void* stack_ = nullptr;
};

}  // namespace understudy::host
