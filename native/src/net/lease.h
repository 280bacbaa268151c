// The egress lease: the kernel itself stops output from the VIP when nobody extends the lease any more.
//
// It is the belt to the braces of output commit: what makes a takeover safe is that an epoch has one primary and that output waits
// for the backup. The lease makes a host that hangs fall silent on the wire (retransmissions, answers to ARP) within lease_ms, and
// stay silent when it comes back, until somebody extends the lease rightfully.
//
// Invariants:
//  - The set's element has a timeout in the kernel; nothing in user space has to run for it to end. It is lease_ms at most, but for a
//    lease that is kept for ever, which is of a host that nobody would replace: that has seconds.
//  - Only a deadline that lies in the future becomes an element.
//
// Must not: extend a lease on its own account.
#pragma once
#include <atomic>
#include <functional>
#include <mutex>

#include "pi_mutex.h"
#include "common.h"
#include "net/nft_set.h"
#include "net/packet.h"
#include "understudy/abi.h"

namespace understudy::host {

class Lease {
 public:
  using Report = std::function<void(abi::MessageLevel, const std::string&)>;
  // `table` has been installed by install_fence(), and is closed.
  Lease(std::string table, const Address& vip, uint32_t lease_ms, Report report);
  ~Lease();  // leaves the lease to run out

  // true: keep it for as long as this process runs; output is possible when this returns. false: let it run out, within lease_ms of
  // when this returns.
  void keep(bool keep);
  // Keep it until then (CLOCK_MONOTONIC). Waits for nothing: it is called by the thread that sends the heartbeats, and the kernel may
  // take tens of milliseconds for a change of its rules.
  void extend_until(uint64_t monotonic_ns);
  // Ends it: when this returns, nothing leaves any more.
  void drop();

 private:
  static constexpr uint64_t kForEver = ~uint64_t{0};
  void run();
  void refresh_locked();
  void note(int error, const char* what);

  std::string table_;
  Address vip_;
  uint32_t lease_ms_;
  Report report_;
  PiMutex mutex_;  // of sets_ and what follows it
  NftSets sets_;
  std::atomic<uint64_t> refreshed_ns_{0};
  int reported_ = 0;
  std::atomic<uint64_t> until_ns_{0};
  uint32_t stopping_ = 0;
  uint32_t wake_ = 0;  // futex word
  std::thread thread_;
};

}  // namespace understudy::host
