// The sockets of a running service, as a backup that is new must know them: where they listen, and of each connection the numbers, what
// was agreed on in its handshake, input that the guest has not read, and output that the other end has not acknowledged.
//
// A backup that was there from the beginning learns all this from packets (connection.h). One that comes later is told with this
// snapshot, taken while the guest is paused; packets and the guest's acts after that moment continue from it.
//
// How it is used (a backup for a service that has connections already):
//   1. The gate stands and mirrors, without waiting for the backup: of connections that begin now the backup sees the handshake.
//   2. The guest is paused. Gate::hold(): what the gate has mirrored is in the sockets, and nothing else comes in.
//   3. take_snapshot(); each socket is a record of the mirror; Flows::adopt().
//   4. The gate and the guest go on. The backup: ConnectionTable::import(), in the mirror's order.
//
// Invariants:
//  - Taking it disturbs nothing: no byte is taken out of a queue, nothing is sent, options are afterwards as they were.
//  - No duplicate of a guest's descriptor is left when it returns: while there is one, what the guest closes is not closed. Its client would not
//    hear of it, and an epoll set went on telling of a descriptor whose memory the guest has freed.
//  - Bytes that a call of the guest has moved already, and whose event comes after the pause, are told by the caller (InFlight).
//
// What it does not have: the last bytes of a connection that the guest has closed already, and a connection from before the gate that the
// guest has not accepted yet. Bytes that came behind a gap are not to be had from the kernel; Flows sees to it that they are not acknowledged.
//
// Must not: be taken of a guest that runs: repair mode would fail its calls on the socket.
#pragma once
#include <unordered_map>

#include "net/guest_sockets.h"
#include "net/packet.h"

namespace understudy::host {

struct SocketState {
  enum Kind : uint8_t {
    kListener = 1,
    kStream = 2,      // a connection, the guest's descriptor of it open
    kConnecting = 3,  // the guest has begun to open it, and nobody has answered
    kUnused = 4,      // a stream socket that is no connection; it may be bound
    kDatagram = 5,
    kWaiting =
        6,  // a connection, or the beginning of one, that the guest has not accepted: only its addresses are known
  };
  Kind kind = kUnused;
  uint8_t family = 0;      // of the socket
  uint64_t cookie = 0;     // 0: the guest has no descriptor of it
  Endpoint local, remote;  // no address (family 0): none

  // ---- kListener ----
  uint32_t backlog = 0;

  // ---- kStream ----
  bool gated = false;        // its packets pass the gate; of one that has others nothing more is here
  uint32_t receive_seq = 0;  // of the first byte of `unread`
  std::vector<uint8_t> unread;
  bool remote_fin = false;  // behind the last byte of `unread`
  bool remote_reset = false;
  uint32_t send_seq = 0;  // of the first byte of `output`
  std::vector<uint8_t> output;
  uint32_t acknowledged_beyond =
      0;  // bytes behind `output` that the other end has already, and the guest's write() has not told of
  bool local_fin = false, fin_acknowledged = false;
  bool shut_read = false;
  uint16_t mss = 0;                            // of the other end
  int8_t remote_scale = -1, local_scale = -1;  // -1: not agreed on
  bool sack = false, timestamps = false;
  uint32_t tsval = 0;   // of ours, now
  uint32_t window = 0;  // that the other end offers, in bytes
};

// What calls of the guest have done to a socket before the pause, and will tell after it.
struct InFlight {
  std::vector<uint8_t> read;  // taken out of the receive queue
  uint64_t written = 0;       // bytes put into the send queue
};

struct SnapshotOptions {
  Address vip;
  // Whether the packets between these pass the gate. Empty: what has the VIP as its local address.
  std::function<bool(const Endpoint& local, const Endpoint& remote)> gated;
  std::unordered_map<uint64_t, InFlight> in_flight;  // by cookie
};

struct ConnectionSnapshot {
  std::vector<SocketState> sockets;  // listeners first
  uint32_t missed = 0;               // descriptors that could not be had: this process may have too few
  // Sockets whose state could not be read, and why. The backup will not know them.
  std::vector<std::string> failed;
};

// Of the processes of a guest that is paused; raise_descriptor_limit() was called before. Throws HostError NET when the kernel gives no list of connections.
ConnectionSnapshot take_snapshot(const std::vector<pid_t>& pids, const SnapshotOptions& options);

// One record per socket. decode_socket() throws HostError NET for anything that encode_socket() cannot have made.
std::vector<uint8_t> encode_socket(const SocketState& socket);
SocketState decode_socket(std::span<const uint8_t> record);

}  // namespace understudy::host
