// The toy pair of net_pair_test: namespaces, the deterministic server and its replica, the checking client.
//
// Invariants:
//  - A reply carries a hash over all input of its connection so far, so a byte lost, repeated or changed anywhere shows.
//  - What the server writes on a connection follows from that connection's input alone; so no journal is needed here.
#pragma once
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

#include <string>
#include <vector>

#include "net/packet.h"

namespace pair_test {

using Bytes = std::vector<uint8_t>;
using understudy::host::Endpoint;

struct Options {
  int connections = 1;
  uint64_t seed = 1;
  bool v6 = false;
  bool churn = false;       // connections come and go, half-closed in between
  bool forward = false;     // the dying host's kernel sends the clients' packets on to the backup
  bool guest_only = false;  // kill the server, not the host: the host's gate must hold back its FINs
  bool orphans = false;     // the server has accepted one half of the connections only when it dies
  int rate = 0;             // requests per second of all connections together; 0: as many as possible
  int run_ms = 1500, kill_ms = 500;
  std::string client_ip, vip, address_a, address_b;
};

// request: u32 length, bytes; reply: u32 length + 8, u64 hash of the input so far, bytes ^ 0x5a
struct Protocol {
  uint64_t hash = 1469598103934665603ull;
  // Handles one whole request at the beginning of `in`; 0: it is not whole yet. Returns the bytes used.
  size_t step(const uint8_t* in, size_t len, Bytes* out) {
    uint32_t n;
    if (len < 4) return 0;
    memcpy(&n, in, 4);
    if (len < 4 + size_t(n)) return 0;
    for (size_t i = 0; i < 4 + size_t(n); i++) hash = (hash ^ in[i]) * 1099511628211ull;
    const uint32_t reply = n + 8;
    const size_t at = out->size();
    out->resize(at + 12 + n);
    memcpy(&(*out)[at], &reply, 4);
    memcpy(&(*out)[at + 4], &hash, 8);
    for (uint32_t i = 0; i < n; i++) (*out)[at + 12 + i] = in[4 + i] ^ 0x5a;
    return 4 + n;
  }
};

constexpr uint16_t kPort = 7000;

[[noreturn]] void die(const std::string& what);

// Both never return. The server's process; `fault_fd` closes when it is to end.
[[noreturn]] void run_server(const Options& options);
// The replica's process: input comes from `feed` until it says that it is time to go live.
[[noreturn]] void run_replica(const Options& options, int feed, uint8_t* net_area);
// Returns the number of failures; prints what was seen.
int run_client(const Options& options);

// What the backup's host tells the toy replica. SOCK_SEQPACKET; the payload follows.
struct Feed {
  enum Kind : uint32_t { kAccept = 1, kInput = 2, kEof = 3, kDrain = 4, kLive = 5 } kind;
  uint32_t connection;
};

}  // namespace pair_test
