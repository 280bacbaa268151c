// What chain-server and failover-client say to each other: requests of any length, answered by a chain over everything that has
// come before on the connection.
//
// The state of a connection is a hash over all input bytes *and* over a number that the server draws for each request (a mix of
// random bytes and clocks: nondeterminism that a replica must have got by journal). So a reply that follows from other input, in
// another order, or from another draw than the ones that the client has seen, does not fit. `global` counts the requests of all
// connections: whatever is executed twice or never shows as a double or a gap.
//
// Invariant: server and client are built from this one description.
#ifndef UNDERSTUDY_BENCH_CHAIN_H
#define UNDERSTUDY_BENCH_CHAIN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define CHAIN_REQUEST_MAGIC 0x31514552u
#define CHAIN_REPLY_MAGIC 0x31504552u
#define CHAIN_BYTES_MAX (1u << 20)

struct chain_request {
  uint32_t magic, length;  // of the payload that follows
  uint32_t wanted;         // bytes of payload in the reply
  uint32_t pause_us;       // the server computes for so long before it answers
};

struct chain_reply {
  uint32_t magic, length;
  uint64_t count;   // requests on this connection, this one included
  uint64_t global;  // requests on all connections, this one included
  uint64_t draw;
  uint64_t state;
};

static inline uint64_t chain_mix(uint64_t h, uint64_t word) {
  h = (h ^ word) * 0x9e3779b97f4a7c15ull;
  return h ^ h >> 29;
}

static inline uint64_t chain_hash(uint64_t h, const void* data, size_t len) {
  const unsigned char* p = (const unsigned char*)data;
  uint64_t word;
  for (; len >= sizeof word; p += sizeof word, len -= sizeof word) {
    memcpy(&word, p, sizeof word);
    h = chain_mix(h, word);
  }
  word = len;
  memcpy(&word, p, len);
  return chain_mix(h, word ^ (uint64_t)len << 56);
}

// The reply's payload follows from its state.
static inline void chain_fill(uint64_t state, unsigned char* out, size_t len) {
  for (size_t i = 0; i < len; i += sizeof state) {
    state = chain_mix(state, i);
    memcpy(out + i, &state, len - i < sizeof state ? len - i : sizeof state);
  }
}

#endif
