// The handshake's first half: two hosts show each other that they hold the same key, agree on a version and derive the
// connection's keys. The second half (where to write) belongs to sender and receiver.
//
// Why it holds: each proof is an HMAC over both hellos, which contain both ends' fresh nonces, under a label of the role. So a
// recorded handshake proves nothing later, and a proof cannot be sent back to whoever made it.
//
// Invariants:
//  - Before the proofs, nothing is allocated or answered beyond one fixed message.
//  - Versions are compared first and every refusal is told to the other end, so that both logs give the reason.
//
// Must not: keep state between connections.
#pragma once
#include <string>

#include "control.h"
#include "mirror.h"

namespace understudy::host {

struct SessionKeys {
  Key32 control_primary, control_backup;  // authenticate the control connection, by sender
  Key32 records, marks_primary, marks_backup;
  Key32 token;  // shown once when the transport connects, so that only this peer can
  ~SessionKeys() { wipe(this, sizeof *this); }
};

struct Greeting {
  wire::Hello theirs;
  SessionKeys keys;
  uint16_t version;
};

// Throw MirrorRefusal; the peer has been told.
Greeting greet_as_primary(Control& control, const MirrorConfig& config, uint64_t until_ns);
Greeting greet_as_backup(Control& control, const MirrorConfig& config, uint64_t until_ns);

// Returns it. Throws HostError for what no mirror can work with.
MirrorConfig checked(MirrorConfig config);

}  // namespace understudy::host
