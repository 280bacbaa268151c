// A primary: a recording whose events go to a backup before anything that follows from them is let out.
//
// Threads: the pump mirrors the journal, the gate's thread packets; the mirror's progress thread says what the backup holds, which
// lets agents (Pair::held) and the gate go on. Nothing on these paths waits for JavaScript.
//
// Invariants:
//  - Pair::held never passes what the backup has acknowledged, until go_unprotected(): then it is ~0 for good.
//  - After fence() nothing of the service leaves this host, and Release is mirrored only after that.
//  - A root process that is killed from outside ends nothing: its death is not recorded, the replica goes on.
//
// Must not: decide to go unprotected, or reconnect.
#pragma once
#include <deque>

#include "mirror/sender.h"
#include "net/flows.h"
#include "net/gate.h"
#include "net/guest_watch.h"
#include "net/vip.h"
#include "pair/records.h"
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

  void go_unprotected();
  // Returns when nothing can leave any more. release: the backup is told.
  void fence(const std::string& reason, bool release);

 private:
  struct Sent {
    uint64_t position, ring_end, seq, at_ns;
  };
  void finish();
  void tap(uint64_t first_seq, uint64_t count, const uint8_t* events, size_t len, uint64_t end);
  uint64_t mirror_packet(Direction direction, std::span<const uint8_t> packet);
  void begin_flows(const GateConfig& config);
  void mirror_blob(const std::string& path, const Sha256& sha);
  void on_watermarks(const Watermarks& marks);
  void raise_held(uint64_t to);
  void relax_locked(uint64_t end);
  bool on_killed(bool root, int signal);
  void on_fault();

  EmitEvent emit_;
  const bool durable_;
  const uint64_t rpo_ns_, rpo_bytes_;
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
  std::unique_ptr<GuestWatch> watch_;
  std::unique_ptr<MirrorSender> sender_;
  std::unique_ptr<Flows> flows_;
  std::unique_ptr<Gate> gate_;
  // The same, for the threads that run while these are made.
  std::atomic<MirrorSender*> standing_mirror_{nullptr};
  std::atomic<Gate*> standing_gate_{nullptr};
  std::atomic<Flows*> standing_flows_{nullptr};
  std::unique_ptr<Pump> pump_;
  std::unique_ptr<Service> service_;
  std::mutex sent_mutex_;
  std::deque<Sent> sent_;       // not held yet
  std::deque<Sent> unapplied_;  // not executed by the replica yet
  std::mutex fence_mutex_;
  std::atomic<bool> unprotected_{false}, fenced_{false}, killed_{false}, lost_guest_{false}, said_protected_{false};
  std::atomic<uint64_t> held_{0};
  std::thread finisher_;
};

}  // namespace understudy::host
