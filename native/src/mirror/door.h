// The backup's listening socket: takes in whoever knocks, a few at a time and each for a short time only.
//
// Invariants:
//  - Bounded: kVisitors handshakes at once; who comes when all places are taken displaces the oldest that has not shown the key.
//    So neither a flood nor connections that never say anything keep the primary out.
//  - What went wrong is reported, but never faster than kReportsPerSecond; what is left out is counted.
//
// Must not: know what a visitor wants.
#pragma once
#include <atomic>
#include <functional>
#include <list>
#include <memory>
#include <mutex>

#include "link.h"

namespace understudy::host {

class Door {
 public:
  static constexpr size_t kVisitors = 8;
  static constexpr double kReportsPerSecond = 5, kReportBurst = 20;
  // One who knocked. `trusted` is set by the visit when the key was shown: it is not displaced any more.
  struct Visitor {
    std::unique_ptr<Control> control;
    std::atomic<bool> trusted{false};
  };
  struct Hooks {
    // On a thread of the visit's own. What it throws is reported.
    std::function<void(Visitor&)> visit;
    std::function<void(const std::string&)> on_incident;
  };
  Door(const std::string& address, uint16_t port, Hooks hooks);
  ~Door();  // waits for visits to end; they find their connections shut
  uint16_t port() const { return port_; }
  uint64_t incidents() const { return incidents_.load(std::memory_order_relaxed); }
  int closing_fd() const { return closing_.fd(); }

 private:
  struct Visit {
    Visitor visitor;
    UniqueFd socket;  // a duplicate, to end the visit with
    std::atomic<bool> over{false};
    std::thread thread;
  };
  void run();
  void take(UniqueFd socket, const std::string& peer);
  void sweep();
  void report(const std::string& text);

  const Hooks hooks_;
  UniqueFd socket_;
  uint16_t port_ = 0;
  Kick closing_;
  std::atomic<bool> stop_{false};
  std::list<Visit> visits_;  // oldest first; of the door's thread
  std::mutex report_mutex_;
  double report_tokens_ = kReportBurst;
  uint64_t report_at_ns_ = 0, unreported_ = 0;
  std::atomic<uint64_t> incidents_{0};
  std::thread thread_;
};

}  // namespace understudy::host
