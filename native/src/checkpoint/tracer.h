// The moments of a checkpoint in which threads of the guest are stopped by ptrace: for the registers that the agent does not keep, and to
// hold a thread that is alone.
//
// Invariants:
//  - All calls come from one thread: Linux ties a tracer to a thread.
//  - What was attached is detached when this ends, whatever happened meanwhile.
//  - A stop changes nothing that the guest sees: an interrupted call goes on, or is made again by the agent.
//
// Must not: write to a tracee.
#pragma once
#include <stdint.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "understudy/abi.h"

namespace understudy::host::checkpoint {

struct ThreadRegisters {
  uint64_t fs_base = 0, rsp = 0, rip = 0;
  int64_t rax = 0;
  std::string xsave;  // as the XSAVE instruction writes it, standard form
};

class Tracer {
 public:
  Tracer() = default;
  ~Tracer() { detach_all(); }
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  // Attaches and begins to stop it; 0 or an errno. A thread that is attached already stays so.
  int attach(pid_t tid);
  // Waits until it stands; false when it is gone.
  bool wait(pid_t tid);
  bool registers(pid_t tid, ThreadRegisters* out);
  // The signal that it was about to get when it was stopped, and gets when it goes on; 0: none.
  int taken_signal(pid_t tid) const;
  void detach(pid_t tid);
  void detach_all();
  // In a call of the guest's that has done nothing and will be made again.
  static bool is_interrupted(const ThreadRegisters& at, const abi::Entry& entry);
  // Stops a thread that is in a system call of the guest's, if it stands in it and can begin it again.
  bool freeze(pid_t tid, const abi::Entry& entry);

 private:
  struct Tracee {
    pid_t tid;
    bool stopped;
    int signal;  // one that it stopped for, to be delivered when it goes on
  };
  Tracee* find(pid_t tid);
  std::vector<Tracee> tracees_;
  std::vector<pid_t> killed_;  // to be waited for
};

}  // namespace understudy::host::checkpoint
