// Whether the end of a connection is the guest's own doing, or the kernel clearing up after a process that was killed.
//
// The kernel closes the descriptors of a killed process, and sends FIN or RST for its connections, after it has marked the
// process as exiting. Each such packet waits in the gate's queue while this looks: a member of the group that is exiting, or gone,
// and of which its agent has announced nothing, was killed.
//
// Invariants: in doubt the answer is no. A FIN too few is repeated by the kernel, a FIN too many ends a client's connection.
// Must not: block; it runs on the gate's thread.
#pragma once
#include <sys/types.h>

#include <atomic>
#include <functional>
#include <utility>

#include "understudy/abi.h"

namespace understudy::host {

class GuestWatch {
 public:
  // host_pid: the host's number of a process that the group knows by another (namespaces.h); negative: it is gone.
  explicit GuestWatch(const abi::Control& control, std::function<pid_t(pid_t)> host_pid = {})
      : control_(control), host_pid_(std::move(host_pid)) {}
  bool end_is_meant() const;

  // A member that was killed (ThreadState Killed) ends no connection rightfully: its death is going to be a failover. Where it is
  // recorded instead and the group goes on, its connections end like any others, as soon as this is set.
  void deaths_are_recorded(bool yes) { deaths_are_recorded_.store(yes, std::memory_order_release); }

  // Whether a process exists and has a thread that is not exiting.
  static bool is_alive(int32_t pid);

 private:
  const abi::Control& control_;
  const std::function<pid_t(pid_t)> host_pid_;
  std::atomic<bool> deaths_are_recorded_{false};
};

}  // namespace understudy::host
