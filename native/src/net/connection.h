// What the backup knows of one TCP connection of the service: from the packets that passed the primary's gate, and from what the
// replica of the guest does with its shadow socket.
//
// Positions in a stream are 64-bit offsets; 0 is the first byte after the SYN, or where a snapshot found it. The two sources interleave in any way: a packet may
// come before or after the guest's act that goes with it.
//
// Invariants:
//  - input holds [consumed, received) without gaps; ahead holds what came behind a gap.
//  - output holds [acknowledged, sent). An acknowledgement beyond `sent` is remembered and takes effect when the replica has
//    caught up; one that never does was not genuine.
//  - Memory is bounded by limits; a connection that exceeds them is given up (`lost`), not the others.
//
// Must not: forget input that the primary may have acknowledged. The client will not send it again.
#pragma once
#include <map>
#include <optional>
#include <set>

#include "net/byte_queue.h"
#include "net/connection_snapshot.h"
#include "net/packet.h"

namespace understudy::host {

struct ConnectionLimits {
  size_t input_bytes = 64u << 20;
  size_t ahead_bytes = 16u << 20;
  size_t output_bytes = 64u << 20;
};

struct Connection {
  Connection(uint64_t id_, const FlowKey& key_, const ConnectionLimits& limits_)
      : id(id_), key(key_), limits(limits_) {}

  uint64_t id;  // in order of creation
  FlowKey key;
  ConnectionLimits limits;
  bool outward = false;  // opened by the guest

  // ---- Handshake -----------------------------------------------------------------------------------------------------------
  std::optional<uint32_t> remote_isn, local_isn;
  TcpOptions remote_options, local_options;  // as of SYN and SYN-ACK
  bool established = false;

  // ---- From the remote end ---------------------------------------------------------------------------------------------------
  ByteQueue input;
  uint64_t consumed = 0, received = 0;
  std::map<uint64_t, std::vector<uint8_t>> ahead;
  size_t ahead_bytes = 0;
  std::optional<uint64_t> remote_fin;  // its offset: the stream's length
  bool remote_reset = false;
  uint32_t window = 0;  // that the remote end offers, in bytes

  // ---- To the remote end -----------------------------------------------------------------------------------------------------
  ByteQueue output;
  uint64_t acknowledged = 0, sent = 0;
  std::set<uint64_t> acknowledged_ahead;
  std::optional<uint64_t> local_fin;
  bool fin_acknowledged = false, local_reset = false;

  // ---- Timestamps --------------------------------------------------------------------------------------------------------------
  uint32_t remote_tsval = 0;       // latest of the remote end's
  bool remote_tsval_known = true;  // not at first, of a connection that a snapshot has told of
  uint32_t local_tsval = 0;        // latest of ours that is known to have been sent
  uint64_t local_tsval_ns = 0;     // when it was learnt (CLOCK_MONOTONIC of this host)

  // ---- The guest -----------------------------------------------------------------------------------------------------------------
  uint64_t cookie = 0;  // of the shadow socket; 0: not accepted yet
  bool guest_closed = false, closed_with_reset = false;
  bool shut_read = false, shut_write = false;
  // Why this connection cannot be taken over; empty: it can.
  std::string lost;

  void on_packet(Direction direction, const TcpPacket& packet, uint64_t now_ns);
  void on_consumed(uint64_t count);
  void on_sent(std::span<const uint8_t> bytes);
  // What was there before a snapshot found it (SocketState::kStream), whatever was known of it so far.
  void continue_from(const SocketState& state, uint64_t now_ns);

  // Whether both have agreed on it in the handshake.
  bool has_timestamps() const { return remote_options.timestamps && local_options.timestamps; }
  bool has_window_scale() const { return remote_options.window_scale >= 0 && local_options.window_scale >= 0; }
  bool has_sack() const { return remote_options.sack_permitted && local_options.sack_permitted; }

  bool all_received() const { return remote_fin && received >= *remote_fin; }
  // No packet will change it any more.
  bool is_over() const { return remote_reset || local_reset || (fin_acknowledged && all_received()); }
  size_t bytes() const { return input.size() + ahead_bytes + output.size(); }

  uint32_t remote_seq(uint64_t offset) const { return *remote_isn + 1 + uint32_t(offset); }
  uint32_t local_seq(uint64_t offset) const { return *local_isn + 1 + uint32_t(offset); }
  // A value for our timestamps that is later than any that the primary can have sent. Even: an odd one makes the kernel count
  // microseconds (TCP_TIMESTAMP).
  uint32_t fresh_tsval(uint64_t now_ns) const;
  // The remote end acknowledges this offset (FIN included when it is local_fin + 1).
  void acknowledge(uint64_t offset);
  // The offset that a sequence number means, near those in use. Negative: before the stream's beginning.
  int64_t local_offset(uint32_t seq) const { return int64_t(acknowledged) + int32_t(seq - local_seq(acknowledged)); }
  int64_t remote_offset(uint32_t seq) const { return int64_t(received) + int32_t(seq - remote_seq(received)); }

 private:
  void on_remote(const TcpPacket& packet, uint64_t now_ns);
  void on_local(const TcpPacket& packet, uint64_t now_ns);
  void deliver(int64_t offset, std::span<const uint8_t> bytes);
  void append_input(std::span<const uint8_t> bytes);
  void take_ahead();
  void note_local_tsval(uint32_t tsval, uint64_t now_ns);
  void give_up(const std::string& why);
};

}  // namespace understudy::host
