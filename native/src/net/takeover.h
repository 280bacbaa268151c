// The takeover of a service's connections: what its replica holds as unconnected shadow sockets becomes the connections of the dead
// primary, in place, and the clients notice nothing.
//
// Order (each step's reason is in the code; another order resets clients or loses bytes):
//   announce the VIP, which is not here yet -> ask each client how far it is -> listeners -> repair every connection -> VIP, closed to the
//   outside -> orphans into the accept queues -> let the connections speak -> open the VIP -> what was heard meanwhile.
//
// Invariants:
//  - Before it: the old primary is fenced, the replica stands (LiveState Drained), the network ring is drained.
//  - Nothing is opened, resolved or started by a program during it; prepare() does that.
//  - A connection that cannot be taken over is reset on both sides and reported; it does not stop the others.
//
// Must not: be run twice with one object.
#pragma once
#include "net/connection_table.h"
#include "net/guest_sockets.h"
#include "net/nft_set.h"
#include "net/orphans.h"
#include "net/raw_ip.h"
#include "net/vip.h"

namespace understudy::host {

struct TakeoverConfig {
  std::string service;
  Address vip;
  uint8_t prefix = 32;
  std::string interface;
  // How long to wait for the clients' answers before those that are missing are asked once more, and again before they are given
  // up. A client that does not answer is taken over with what it last acknowledged.
  uint32_t probe_ms = 10;
};

struct TakeoverResult {
  struct Stage {
    const char* name;
    uint64_t at_ns;  // CLOCK_MONOTONIC, at its end
  };
  struct Loss {
    FlowKey key;
    std::string reason;
  };
  uint64_t begin_ns = 0;
  std::vector<Stage> stages;
  std::vector<Loss> lost;
  uint32_t connections = 0;  // taken over
  uint32_t answered = 0;     // of those that were asked
  uint32_t asked = 0;
  uint32_t finishing = 0;  // closed by the guest, not yet by the client
  uint32_t orphans = 0;    // established at the primary, not accepted by the guest
  uint32_t listeners = 0, datagrams = 0;
  uint32_t replayed_packets = 0;  // that came while the VIP was on its way
  uint64_t unread_bytes = 0, resent_bytes = 0;
};

class Takeover {
 public:
  using Report = std::function<void(abi::MessageLevel, const std::string&)>;
  // Opens and installs what is needed; some milliseconds, and long before. Throws HostError NET.
  Takeover(TakeoverConfig config, Report report);
  ~Takeover();

  // pids: the replica's processes, as this host sees them. Throws HostError NET only when the VIP cannot be moved.
  TakeoverResult run(ConnectionTable& table, const std::vector<pid_t>& pids);
  // After run(): when the first byte of a stream left for a client; 0: none has, after so long a wait.
  uint64_t wait_first_byte(uint64_t timeout_ns);

 private:
  struct Item {
    Connection* connection;
    GuestDescriptor* shadow = nullptr;  // the guest's socket
    UniqueFd own;                       // ours, for what the guest has closed
    int fd = -1;
    int family = 0;
    int reuse_address = 0;
    bool answered = false, repaired = false;
    std::optional<uint32_t> expected_seq;  // by the client, as it says
  };
  void stage(const char* name);
  void classify();
  void probe(const std::vector<pid_t>& pids);
  void send_probes(bool insist);
  void ask_again();
  void on_captured(std::span<uint8_t> ip_packet);
  bool note_answer(const TcpPacket& packet);
  void attach_sockets();
  void open_listeners();
  void repair(Item& item);
  void resume(Item& item);
  void finish(Item& item);
  void lose(Item& item, const std::string& reason);
  void connect_again(Item& item);
  void refuse_guest(Item& item);
  void adopt_orphans();
  void open_vip();
  void open_datagrams();
  void replay_captured();
  TcpPacket from_remote(const Connection& c, uint8_t flags) const;
  TcpPacket to_remote(const Connection& c, uint8_t flags, uint32_t seq) const;

  TakeoverConfig config_;
  Report report_;
  Vip vip_;
  RawSender sender_;
  Tap tap_;
  std::optional<Tap> sent_;
  Orphans orphans_;
  NftSets sets_;
  ConnectionTable* table_ = nullptr;
  std::vector<Item> items_;
  std::unordered_map<FlowKey, size_t, FlowKeyHash> by_key_;
  std::unordered_map<uint64_t, GuestDescriptor> shadows_;
  std::vector<std::vector<uint8_t>> captured_;
  size_t captured_bytes_ = 0;
  TakeoverResult result_;
};

}  // namespace understudy::host
