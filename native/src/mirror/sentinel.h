// A small process beside this one that ends the mirror's control connection the moment this one is killed.
//
// The kernel takes a killed process apart in an order of its own: its memory first, which takes tens of milliseconds for a large one,
// its descriptors last. The peer, which learns of the death by the end of the connection, would wait for that. Robust
// futexes are released before anything else: the sentinel sleeps on one that a thread of this process owns.
//
// Invariants:
//  - It holds the connection and nothing else; it sends nothing, it only shuts down.
//  - It is a copy of a process with many threads, so it makes system calls and nothing else: no allocation, no locks.
//
// Must not: be needed. Without it (killed as well) the connection ends when the kernel comes to it.
#pragma once
#include <pthread.h>
#include <sys/types.h>

namespace understudy::host {

class Sentinel {
 public:
  // The calling thread is the one whose death is that of the process; it must be the one that destroys this. Throws HostError MIRROR.
  explicit Sentinel(int connection);
  ~Sentinel();
  Sentinel(const Sentinel&) = delete;
  Sentinel& operator=(const Sentinel&) = delete;

 private:
  struct Shared {
    pthread_mutex_t alive;
  };
  Shared* shared_;
  pid_t pid_ = -1;
};

}  // namespace understudy::host
