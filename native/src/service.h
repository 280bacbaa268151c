// Answers the agents' requests (Control::rpc), and interrupts threads that others wait for (Control::attention).
//
// Invariants:
//  - One request at a time: the requester holds the baton.
//  - A request is always answered, with a negative errno where it fails: a guest that waits for an answer waits for ever.
//
// Must not: append events. What a request leads to is recorded by the agent that made it.
#pragma once
#include <functional>
#include <map>
#include <mutex>

#include "blob_store.h"
#include "launcher.h"
#include "memory_file.h"
#include "sites.h"
#include "warden.h"

namespace understudy::host {

class Service {
 public:
  struct Hooks {
    std::function<void(abi::MessageLevel, const std::string&)> message;
    // A blob could not be written into the journal.
    std::function<void(int error, const std::string& path)> journal_failed;
    // A file's contents are new to the journal; before the agent hears of it. May be empty.
    std::function<void(const std::string& path, const Sha256& sha)> new_blob;
    // A new address space, of the process with the host's number `pid`, and a userfaultfd of it. May be empty.
    std::function<void(uint32_t slot, pid_t pid, UniqueFd userfault)> track;
  };
  // launcher: only for record; in replay no exec is traced.
  Service(MemoryFile& memory, BlobStore& blobs, SiteStore& sites, Warden& warden, Launcher* launcher,
          const Enclosure& enclosure, Hooks hooks);
  ~Service();
  void stop();
  // A replica that goes live: from now on threads may be interrupted.
  void start_kicker();

  // The guest's address that a trampoline address stands for (where its instruction or continuation is in the text), or the
  // address itself. For stacks.
  uint64_t original_address(uint64_t address) const;

 private:
  void run();
  void run_kicker();
  void kick(const abi::ThreadSlot& slot, int64_t value) const;
  void handle();
  int64_t map_file();
  int64_t sites();
  int64_t map_blob();
  int64_t pick_probe_site();
  int64_t make_probe_stub();

  MemoryFile& memory_;
  BlobStore& blobs_;
  SiteStore& sites_;
  Warden& warden_;
  Launcher* launcher_;
  const Enclosure& enclosure_;
  Hooks hooks_;
  pid_t caller_ = -1;  // the process whose request is handled, as the host sees it
  uint32_t stopping_ = 0;
  mutable std::mutex mutex_;
  std::map<uint64_t, TrampolineOrigin> origins_;  // by the trampoline's begin; the latest image's
  std::thread thread_, kicker_;
};

}  // namespace understudy::host
