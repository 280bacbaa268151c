// See lease.h.
#include "net/lease.h"

#include <linux/netfilter.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>

namespace understudy::host {
namespace {
// Four chances to extend a lease before it ends: a thread that comes late by a whole period is no reason to fall silent.
constexpr uint32_t kPeriodsPerLease = 4;
constexpr int kRealTimePriority = 20;
// The timeout while it is kept for ever. Each change of any rules holds up all others, for tens of milliseconds; a short lease would run out
// behind the programs that put up a gate, and clients would wait for what was dropped to be sent again.
constexpr uint32_t kStandingMs = 2000;
}  // namespace

Lease::Lease(std::string table, const Address& vip, uint32_t lease_ms, Report report)
    : table_(std::move(table)), vip_(vip), lease_ms_(lease_ms), report_(std::move(report)) {
  thread_ = start_thread("us-lease", [this] { run(); });
  // On a loaded machine an ordinary thread comes tens of milliseconds late.
  const sched_param param{kRealTimePriority};
  if (const int error = pthread_setschedparam(thread_.native_handle(), SCHED_FIFO, &param); error != 0)
    report_(abi::kWarning, "the lease's thread has no real-time priority (" + errno_text(error) +
                               "); a loaded host may fall silent for moments");
}

Lease::~Lease() {
  store_release(stopping_, 1u);
  futex_bump(&wake_);
  thread_.join();
}

void Lease::keep(bool keep) {
  // An element with the standing timeout may be there: shortened now, not when it would have run out.
  until_ns_.store(keep ? kForEver : monotonic_ns() + (uint64_t(lease_ms_) + 1) * 1000000, std::memory_order_release);
  const std::lock_guard lock(mutex_);
  refresh_locked();
}

void Lease::extend_until(uint64_t monotonic_ns) {
  until_ns_.store(monotonic_ns, std::memory_order_release);
  const uint64_t now = understudy::host::monotonic_ns();
  // It comes by itself in good time; but not when the lease has run out, and output waits for it.
  if (monotonic_ns > now && now - refreshed_ns_ >= uint64_t(lease_ms_) * 1000000 / 2) futex_bump(&wake_);
}

void Lease::drop() {
  until_ns_.store(0, std::memory_order_release);
  std::lock_guard lock(mutex_);
  refreshed_ns_ = 0;
  const std::span<const uint8_t> key{vip_.bytes.data(), vip_.size()};
  const SetElement elements[2] = {{NFPROTO_INET, table_.c_str(), "lease", key, 0},
                                  {NFPROTO_ARP, table_.c_str(), "lease", key, 0}};
  note(sets_.remove({elements, vip_.family == AF_INET ? 2u : 1u}), "end");
}

void Lease::refresh_locked() {
  const uint64_t until = until_ns_.load(std::memory_order_acquire), now = understudy::host::monotonic_ns();
  if (until <= now) return;
  const uint32_t most_ms = until == kForEver ? std::max(kStandingMs, lease_ms_) : lease_ms_;
  const uint32_t left_ms = uint32_t(std::min<uint64_t>((until - now) / 1000000, most_ms));
  if (left_ms == 0) return;
  const std::span<const uint8_t> key{vip_.bytes.data(), vip_.size()};
  const SetElement elements[2] = {{NFPROTO_INET, table_.c_str(), "lease", key, left_ms},
                                  {NFPROTO_ARP, table_.c_str(), "lease", key, left_ms}};
  const int error = sets_.put({elements, vip_.family == AF_INET ? 2u : 1u});
  if (error == 0) refreshed_ns_ = now;
  note(error, "extend");
}

void Lease::note(int error, const char* what) {
  // Said once per kind: it would be said a hundred times a second.
  if (error != 0 && error != reported_)
    report_(abi::kError, "cannot " + std::string(what) + " the egress lease of " + vip_.text() + ": " +
                             errno_text(error) + "; output from it stops");
  reported_ = error;
}

void Lease::run() {
  while (load_acquire(stopping_) == 0) {
    const uint32_t wake = load_acquire(wake_);
    {
      std::lock_guard lock(mutex_);
      refresh_locked();
    }
    futex_wait(&wake_, wake, int(std::max(1u, lease_ms_ / kPeriodsPerLease)));
  }
}

}  // namespace understudy::host
