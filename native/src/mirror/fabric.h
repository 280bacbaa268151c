// One libfabric connection (FI_EP_MSG): memory that the peer may write, and one-sided writes into the peer's.
//
// libfabric is loaded when the first mirror is made, not when the addon is: its library brings a dozen others, takes about 80 ms
// to start, and some of those install signal handlers, which are put back here.
//
// Invariants:
//  - Not thread-safe (FI_THREAD_DOMAIN): the owner holds a lock around every call, except wait_fds().
//  - Every write carries 32 bits of immediate data. The peer learns from its completion that all of the write is in place, with
//    every provider, and sleeps until then.
//  - Writes complete in order, so one asked-for completion stands for all before it.
//
// Must not: interpret what is written.
#pragma once
#include <stdint.h>

#include <memory>
#include <string>
#include <vector>

namespace understudy::host {

struct FabricError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct RemoteMemory {
  uint64_t address = 0, key = 0;
};

class Fabric {
 public:
  enum class Role { Listen, Connect };
  // Loads libfabric, unless that was done. Throws HostError when there is none.
  static void load();
  // Listen: `address` is the local one. Connect: the peer's, with the port that its listener has.
  Fabric(const std::string& provider, Role role, const std::string& address, uint16_t port);
  ~Fabric();
  Fabric(const Fabric&) = delete;
  Fabric& operator=(const Fabric&) = delete;

  // Registers memory under a fresh random key. Ids count from 0.
  int share(void* base, size_t bytes, bool peer_writes);
  RemoteMemory shared(int id) const;
  // The peer's writes to it are refused by the transport from now on.
  void withdraw(int id);

  uint16_t port() const;  // Listen
  // Waits for the peer that shows `token`; others are turned away.
  void accept(const void* token, size_t bytes, uint64_t until_ns);
  void connect(const void* token, size_t bytes, uint64_t until_ns);

  // False: no room now, try again after poll(). `from` must lie in memory `id` and stay as it is until the write is completed.
  bool write(int id, const void* from, size_t bytes, RemoteMemory to, uint64_t to_offset, uint32_t immediate);
  uint64_t posted() const;     // number of writes
  uint64_t completed() const;  // of these, known to be complete

  struct Polled {
    bool any = false;  // something happened: an arrival, or the completion of own writes
    int count = 0;     // arrivals
    uint32_t immediates[32];
  };
  // Makes progress. Throws FabricError when the connection is gone.
  Polled poll();
  // Before sleeping on wait_fds(): false when there is something to poll for.
  bool may_sleep();
  const std::vector<int>& wait_fds() const;
  // Has the connection ended? Empty: no. Looks at the connection's events only, without progress.
  std::string ended();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace understudy::host
