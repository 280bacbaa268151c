// Runs one of the system's programs (iptables-restore, nft) with a text as its input.
//
// Invariants: what the program said on standard error is in the error, so that a user learns why a rule was refused.
// Must not: be used where time matters; a process costs a millisecond and more.
#pragma once
#include <string>
#include <vector>

namespace understudy::host {

struct CommandResult {
  int status;  // as of waitpid
  std::string out, err;
  bool ok() const { return status == 0; }
};
// Throws HostError NET when the program cannot be started.
CommandResult run_command(const std::vector<std::string>& argv, const std::string& input);
// The same, and throws HostError NET when it fails; `purpose` completes "cannot …".
std::string run_command_or_throw(const std::vector<std::string>& argv, const std::string& input,
                                 const std::string& purpose);

}  // namespace understudy::host
