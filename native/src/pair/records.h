// What a pair's mirror carries: the types of its records (mirror.h knows only numbers and bytes).
#pragma once
#include <stdint.h>

namespace understudy::host {

enum class PairRecord : uint32_t {
  // seq = the first event's; u64 count, then whole events, never ending inside a group (abi::Ring::group).
  Journal = 1,
  // A packet that the gate holds: u32 direction, u32 zero, the IP packet.
  Packet = 2,
  // A part of a mapped file's contents: sha256[32], u64 size of the whole, u64 offset, bytes. Before the FILE event that names it.
  Blob = 3,
  // The primary lets nothing out any more and never will: the backup is to go on. Text: why.
  Release = 4,
  // Of a group that ran before it had this backup, in this order among the others: Socket (one each, net/connection_snapshot.h), then Mark:
  // the journal's first record comes behind it; seq = the last event before; u64 number of sockets, i64 the guest's monotonic clock minus the
  // host's, in ns. Packets before the mark came before the sockets were as told.
  Socket = 5,
  Mark = 6,
  // A part of the checkpoint of the mark's seq: u64 size of the whole, u64 offset, bytes; what is left out is zero. The last part is never
  // left out, and everything that the checkpoint needs (Blob) is before it.
  State = 7,
  // What the guest has written to its own storage, as it is at the mark (storage/tree_records.h): some before the mark, all before State.
  Storage = 8,
};

inline constexpr uint64_t kBlobPiece = 256 << 10, kStatePiece = 256 << 10;

}  // namespace understudy::host
