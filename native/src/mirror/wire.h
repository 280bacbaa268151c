// What travels: records in the ring, marks beside it, and the messages of the control connection.
//
// Invariants:
//  - Little-endian, naturally aligned, padding written as zero. A host of another architecture can read the first message
//    at least, and so can say why it refuses.
//  - Any change of a struct here is a new protocol version.
#pragma once
#include <stddef.h>
#include <stdint.h>

#include <algorithm>

#include "identity.h"

namespace understudy::host::wire {

inline constexpr uint16_t kVersion = 1;

// ---- The ring ------------------------------------------------------------------------------------------------
// A record is a header and its payload, padded to 8. The CRC covers all but itself and the padding. `lap` ties it to its place
// in the stream: what an earlier lap of the ring left there is not a record.
struct RecordHeader {
  uint32_t crc;
  uint32_t bytes;  // of the payload
  uint64_t epoch, seq;
  uint32_t type;
  uint32_t lap;  // low half of position / 8
};
static_assert(sizeof(RecordHeader) == 32);
inline constexpr uint64_t record_span(uint64_t payload) { return (sizeof(RecordHeader) + payload + 7) & ~7ull; }
inline constexpr uint32_t lap_of(uint64_t position) { return uint32_t(position >> 3); }

// Every one-sided write carries 32 bits that arrive with its completion: how many bytes of the ring it filled, or which mark.
inline constexpr uint32_t kImmediateMark = 1u << 31;
inline constexpr uint32_t immediate_of_bytes(uint64_t bytes) { return uint32_t(bytes >> 3); }
inline constexpr uint64_t bytes_of_immediate(uint32_t immediate) { return uint64_t(immediate) << 3; }

// ---- Marks ---------------------------------------------------------------------------------------------------
// What an end tells the other all the time: watermarks, clocks, signs of life. Written into rotating slots, so that one which is
// being read is not being written.
struct Mark {
  uint64_t counter;  // from 1; slot = counter % kMarkSlots. In the clear, also when sealed: it is the nonce
  uint64_t received, consumed, durable, applied;
  uint64_t wire;  // bytes of the ring that may be written again as far as transport is concerned (sealed: opened)
  uint64_t monotonic_ns, realtime_ns;
  uint64_t echo_ns;  // monotonic_ns of the latest mark of the peer's, and
  uint64_t held_ns;  // how long ago that came
  uint32_t crc;      // of all before it; 0 when sealed
  uint32_t pad;
  uint8_t tag[16];  // sealed: everything from `received` to `pad`
};
static_assert(sizeof(Mark) == 104 && offsetof(Mark, tag) == 88);
inline constexpr uint64_t kMarkStride = 128, kMarkSlots = 64;

// ---- The control connection ----------------------------------------------------------------------------------
inline constexpr uint32_t kMagic = 0x4d535559;  // "YUSM"
enum MessageType : uint16_t {
  kHello = 1,      // primary: who I am, nonce
  kChallenge = 2,  // backup: who I am, nonce, proof that I hold the key
  kProof = 3,      // primary: proof that I hold the key
  kAccept = 4,     // backup: where to write. This and all that follow are authenticated with a session key
  kReady = 5,      // primary: where to write marks
  kGo = 6,         // backup: the transport is connected
  kBye = 7,        // either: why this ends
  kRefuse = 8,     // either, unauthenticated: why this does not begin
};
struct MessageHeader {
  uint32_t magic;
  uint16_t type, bytes;  // bytes: of what follows
};
struct Hello {
  uint16_t version_min, version_max;  // first: whatever else changes, these can be read
  uint16_t machine;
  uint16_t encrypt;
  uint32_t page_size;
  uint32_t heartbeat_ms, deadline_ms;
  uint32_t pad;
  uint64_t epoch, ring_bytes;
  uint8_t nonce[32];
  uint32_t cpu[kCpuWords];
  uint64_t xcr0;
  char cpu_model[48];
  char service[72];
  char provider[16];
};
static_assert(sizeof(Hello) == 256);
struct Challenge {
  Hello hello;
  uint8_t proof[32];
};
struct Memory {
  uint64_t address, key;
};
struct Accept {
  uint16_t version;
  uint16_t port;  // of the transport, at the address that the control connection reached
  uint32_t pad;
  Memory ring, marks;
  uint64_t ring_bytes;
};
struct Ready {
  Memory marks;
};
enum class Reason : uint16_t {
  kNone = 0,
  kVersion = 1,
  kKey = 2,
  kIncompatible = 3,
  kService = 4,
  kEpoch = 5,
  kBusy = 6,
  kFenced = 7,
  kEncryption = 8,
  kProvider = 9,
  kTransport = 10,
  kClosed = 11,
  kCorrupt = 12,
  kMalformed = 13,
};
struct Text {  // of kBye and kRefuse
  uint16_t reason;
  uint16_t bytes;
  char text[500];
};
inline constexpr size_t kMaxBody = std::max(sizeof(Text), sizeof(Challenge)) + 32;

}  // namespace understudy::host::wire
