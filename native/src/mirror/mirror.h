// What both ends of a mirror have in common: configuration, records, watermarks, losses, figures.
//
// A mirror is one ordered stream of records from the primary to the backup of one service in one epoch. Positions in it are
// bytes, headers and padding included, counted from 0 at the connection's start.
//
// Invariants:
//  - `received` covers only records that are verified in the backup's memory; the backup will deliver all of them, and no
//    position beyond it is ever acknowledged.
//  - A link that was lost stays lost: the next one is a new object, with a new memory key (and, as a rule, a new epoch).
//
// Must not: know what records mean.
#pragma once
#include <stdint.h>

#include <string>
#include <vector>

#include "identity.h"

namespace understudy::host {

inline constexpr uint64_t kMinRing = 64u << 10, kMaxRing = 1u << 30;

struct MirrorConfig {
  std::string provider = "tcp";  // of libfabric: "tcp", "verbs"
  std::string address;           // receiver: where to listen; sender: whom to connect. An IP address
  uint16_t port = 0;             // of the control connection; receiver: 0 = any free one
  std::string service;
  uint64_t epoch = 0;               // receiver: older ones are refused
  std::vector<uint8_t> key;         // pre-shared, 16 bytes or more
  bool encrypt = false;             // both ends must agree
  uint64_t ring_bytes = 16u << 20;  // power of two. The primary's counts; a record may take half of it
  uint32_t heartbeat_ms = 10;
  uint32_t deadline_ms = 50;
  // How long to poll after the last sign of work before sleeping. Worth it with a core to spare on either host; where guests need
  // the cores, polling takes more from them than it gives.
  uint32_t spin_us = 0;
  bool realtime = true;          // ask for SCHED_FIFO; without the privilege it is silently not so (see MirrorStats)
  uint32_t handshake_ms = 2000;  // bound of a whole handshake
  MirrorIdentity identity = local_identity();
};

enum class MirrorLossKind { Closed, Silent, Refused, Error, Corrupt };
const char* name_of(MirrorLossKind kind);

struct MirrorLoss {
  MirrorLossKind kind;
  std::string text;
  uint64_t at_ns = 0;      // CLOCK_MONOTONIC, of the judgement
  uint64_t silent_ns = 0;  // since the peer was last heard
};

struct MirrorPeer {
  std::string address;
  uint64_t epoch = 0;
  uint16_t version = 0;
  std::string cpu_model;
};

struct Watermarks {
  uint64_t received = 0, durable = 0, applied = 0;
  bool operator==(const Watermarks&) const = default;
};

struct MirrorRecord {
  uint32_t type;
  uint64_t epoch, seq;
  uint64_t position;    // of the stream, after this record
  const uint8_t* data;  // valid during the call only
  size_t size;
};

// The peer's clocks are this host's plus the offset, within the uncertainty (half of the best round trip).
struct PeerClock {
  bool valid = false;
  int64_t monotonic_offset_ns = 0, realtime_offset_ns = 0;
  uint64_t uncertainty_ns = 0;
};

struct MirrorStats {
  bool connected = false, realtime = false;
  uint64_t records = 0, bytes = 0;      // appended, or verified
  uint64_t writes = 0, wire_bytes = 0;  // one-sided writes of records: posted, or arrived
  uint64_t marks_sent = 0, marks_received = 0;
  uint64_t blocks = 0, blocked_ns = 0;  // sender: appends that waited for room
  uint64_t sleeps = 0;                  // times that the progress thread blocked
  uint64_t round_trip_ns = 0;           // best of late
  uint64_t worst_gap_ns = 0, allowed_silence_ns = 0, own_absence_ns = 0;
  uint64_t incidents = 0;  // receiver: refused or broken handshakes
};

}  // namespace understudy::host
