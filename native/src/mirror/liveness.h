// Judges from the peer's signs of life whether it is gone. Pure: times come in as arguments, so that tests can play any load.
//
// What keeps it from crying wolf on a loaded machine:
//  - Time in which this host did not look does not count as the peer's silence. Whoever looks reports how long it was away,
//    and looks into the network before it asks for a judgement.
//  - The silence that is allowed grows with the gaps that were seen of late: twice the worst of them and a heartbeat, but the
//    deadline at least and kPatience deadlines at most. The worst gap halves every ten seconds.
//  - A connection that is young has seen no gaps yet, and the primary starts a guest meanwhile, which is the worst time for
//    whatever shares its processors: kPatience deadlines are allowed. Nothing is lost by it: the replica is not complete then. The
//    gaps of that time say nothing about later.
#pragma once
#include <stdint.h>

#include <algorithm>

namespace understudy::host {

class Liveness {
 public:
  static constexpr uint64_t kPatience = 6;
  static constexpr uint64_t kHalfLifeNs = 10'000'000'000;
  static constexpr uint64_t kYouthNs = 500'000'000;

  Liveness(uint64_t peer_heartbeat_ns, uint64_t deadline_ns, uint64_t now)
      : heartbeat_(peer_heartbeat_ns), deadline_(deadline_ns), born_(now), heard_(now), looked_(now), faded_(now) {}

  // To be called at each look, before what was found is reported. `interval`: how long it meant to be away.
  // Returns how much longer it was.
  uint64_t look(uint64_t now, uint64_t interval) {
    const uint64_t away = now - looked_;
    looked_ = now;
    // A margin for the scheduler's ordinary latency.
    if (away <= interval + kSlackNs) return 0;
    absence_ += away - interval;
    total_absence_ += away - interval;
    return away - interval;
  }
  void heard(uint64_t now) {
    const uint64_t gap = silence(now);
    if (now - faded_ > kHalfLifeNs) {
      worst_gap_ /= 2;
      faded_ = now;
    }
    if (now - born_ >= kYouthNs) worst_gap_ = std::max(worst_gap_, gap);
    heard_ = now;
    absence_ = 0;
  }
  // Silence that is the peer's, not ours.
  uint64_t silence(uint64_t now) const {
    const uint64_t since = now - heard_;
    return since > absence_ ? since - absence_ : 0;
  }
  uint64_t allowed() const {
    if (heard_ - born_ < kYouthNs) return kPatience * deadline_;
    return std::clamp(2 * worst_gap_ + heartbeat_, deadline_, kPatience * deadline_);
  }
  bool gone(uint64_t now) const { return silence(now) >= allowed(); }
  // When it would be gone if nothing came.
  uint64_t due() const { return heard_ + absence_ + allowed(); }
  uint64_t worst_gap() const { return worst_gap_; }
  uint64_t total_absence() const { return total_absence_; }

 private:
  static constexpr uint64_t kSlackNs = 500'000;
  uint64_t heartbeat_, deadline_, born_, heard_, looked_, faded_;
  uint64_t absence_ = 0, worst_gap_ = 0, total_absence_ = 0;
};

}  // namespace understudy::host
