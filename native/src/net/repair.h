// Makes an unconnected socket one end of a connection that exists elsewhere (TCP_REPAIR).
//
// The steps and their order are the ones that were found to work; each has its reason in the code.
//
// Invariants: between begin() and end() the socket sends nothing; closed in between it disappears silently.
// Must not: be used on a connected socket. Repair mode disturbs calls of other threads on it.
#pragma once
#include <span>
#include <string>

#include "net/packet.h"

namespace understudy::host {

struct RepairSpec {
  int socket_family;
  Endpoint local, remote;
  uint32_t receive_seq;  // of the first byte of `unread`
  std::span<const uint8_t> unread;
  uint32_t send_seq;  // of the next byte that the remote end expects
  uint16_t mss = 0;
  bool window_scale = false, sack = false, timestamps = false;
  uint8_t remote_scale = 0, local_scale = 0;
  uint32_t tsval = 0;   // even, and later than any that was sent
  uint32_t window = 0;  // that the remote end offers, bytes
};

// "" or what went wrong. On failure the socket is to be given up.
std::string begin_repair(int fd, const RepairSpec& spec);
// The address is on this host by now. reuse_address: SO_REUSEADDR as it was before begin_repair().
std::string end_repair(int fd, int reuse_address);
// Between the two: output that counts as sent, and may have been received. The kernel repeats it only after its timer; but an
// acknowledgement of it is one, which it is not for output that has not been sent yet: a segment that carries such a one is dropped.
std::string restore_sent(int fd, std::span<const uint8_t> bytes);

// Tells every epoll set and every sleeper that this socket is in what it has to offer now: edge-triggered sets would otherwise say
// nothing of bytes that were put into the receive queue. Without touching the sets, which belong to other processes.
void raise_events(int fd);

// Room for that many more bytes to be sent, or received, without changing whether the kernel tunes the size by itself.
void reserve_buffer(int fd, bool send, size_t bytes);
// size: as getsockopt() told it.
void restore_buffer(int fd, bool send, int size);

// Binds to an address that may not be on this host (yet).
int bind_anywhere(int fd, int socket_family, const Endpoint& local);

}  // namespace understudy::host
