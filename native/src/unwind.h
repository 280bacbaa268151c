// The stack of a thread that replay stopped, with names.
//
// Invariants:
//  - Reads the process, never changes or traces it: the thread is parked by its agent.
//  - Best effort: whatever cannot be found out leaves a field empty or ends the stack; a divergence is reported in any case.
//
// Must not: start from the kernel's idea of the registers; the thread sits in the agent.
#pragma once
#include <sys/types.h>

#include <functional>
#include <string>
#include <vector>

#include "understudy/abi.h"

namespace understudy::host {

struct Frame {
  uint64_t address = 0;
  std::string module;
  uint64_t module_offset = 0;
  std::string symbol;
  uint64_t symbol_offset = 0;
  std::string source;
  int line = 0;
};

struct UnwindHelp {
  std::function<uint64_t(uint64_t)> original_address;          // of an address in a trampoline
  std::function<std::string(const std::string&)> module_name;  // of the path of a mapped blob
  std::function<void(const std::string&)> problem;             // an installation that cannot show stacks
  std::string root;  // what the process's paths are below, for the host; empty: they are the host's
};

// regs as in abi::Divergence.
std::vector<Frame> unwind(pid_t pid, pid_t tid, const uint64_t regs[18], const UnwindHelp& help);

}  // namespace understudy::host
