// While clients wait, nothing on this host is more urgent than the thread that lets them go on.
//
// Must not: be kept for longer than some ten milliseconds; everything else stands still. Without the privilege it has no effect.
#pragma once
#include <pthread.h>
#include <sched.h>

namespace understudy::host {

class Urgent {
 public:
  Urgent() {
    pthread_getschedparam(pthread_self(), &policy_, &param_);
    const sched_param urgent{kPriority};
    changed_ = pthread_setschedparam(pthread_self(), SCHED_FIFO, &urgent) == 0;
  }
  ~Urgent() {
    if (changed_) pthread_setschedparam(pthread_self(), policy_, &param_);
  }
  Urgent(const Urgent&) = delete;
  Urgent& operator=(const Urgent&) = delete;

 private:
  static constexpr int kPriority = 30;
  int policy_ = 0;
  sched_param param_{};
  bool changed_ = false;
};

}  // namespace understudy::host
