// A primary: a recording whose events go to a backup before anything that follows from them is let out (protection.h).
//
// Invariants:
//  - A root process that is killed from outside ends nothing as long as there is a backup: its death is not recorded, the replica goes on.
//
// Must not: decide to go unprotected, or reconnect.
#pragma once
#include "net/vip.h"
#include "pair/keeper.h"
#include "session.h"

namespace understudy::host {

struct NetworkOptions {
  GateConfig gate;  // vip, prefix, interface, ports, queues
};

struct PrimaryOptions {
  RecordOptions record;
  std::string output_path;
  std::vector<std::string> shared_paths;  // storage that the backup does not touch: changes of it are outputs
  std::optional<MirrorConfig> mirror;     // none: unprotected from the beginning
  std::optional<NetworkOptions> network;
  bool durable = false;  // outputs wait for the backup's disk, not for its memory only
  // RPO > 0: outputs go on while no more than this is on its way. Both 0: nothing may be lost.
  uint64_t rpo_ms = 0, rpo_bytes = 0;
};

class PrimarySession : public Session {
 public:
  PrimarySession(const PrimaryOptions& options, EmitEvent emit);
  ~PrimarySession() override;
  Plain::Object stats() override;
  void kill(int signal) override;

  // See keeper.h.
  void attach_backup(const AttachOptions& options) { keeper_->attach(options); }
  void protect() { keeper_->protect(); }
  void go_unprotected() { keeper_->go_unprotected(); }
  // Returns when nothing can leave any more. release: the backup is told.
  void fence(const std::string& reason, bool release);

 private:
  void finish();
  bool on_killed(bool root, int signal);
  void on_fault();

  EmitEvent emit_;
  const uint64_t started_ns_;
  MemoryFile memory_;
  BlobStore blobs_;
  SiteStore sites_;
  Enclosure enclosure_;
  SegmentWriter writer_;
  std::unique_ptr<Guard> guard_;
  std::unique_ptr<Launcher> launcher_;
  std::unique_ptr<Warden> warden_;
  std::unique_ptr<Vip> vip_;
  UniqueFd output_;
  std::unique_ptr<Keeper> keeper_;
  std::unique_ptr<Pump> pump_;
  std::unique_ptr<Service> service_;
  std::atomic<bool> killed_{false};
  std::thread finisher_;
};

}  // namespace understudy::host
