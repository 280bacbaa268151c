// See handshake.h.
#include "handshake.h"

#include <string.h>

namespace understudy::host {
namespace {
using wire::Reason;

wire::Hello hello_of(const MirrorConfig& config) {
  wire::Hello hello{};
  const MirrorIdentity& id = config.identity;
  hello.version_min = id.version_min;
  hello.version_max = id.version_max;
  hello.machine = id.machine;
  hello.encrypt = config.encrypt ? 1 : 0;
  hello.page_size = id.page_size;
  hello.heartbeat_ms = config.heartbeat_ms;
  hello.deadline_ms = config.deadline_ms;
  hello.epoch = config.epoch;
  hello.ring_bytes = config.ring_bytes;
  random_bytes(hello.nonce, sizeof hello.nonce);
  memcpy(hello.cpu, id.cpu, sizeof hello.cpu);
  hello.xcr0 = id.xcr0;
  memcpy(hello.cpu_model, id.cpu_model, sizeof hello.cpu_model);
  memcpy(hello.service, config.service.data(), config.service.size());
  memcpy(hello.provider, config.provider.data(), config.provider.size());
  return hello;
}

MirrorIdentity identity_of(const wire::Hello& hello) {
  MirrorIdentity id;
  id.machine = hello.machine;
  id.page_size = hello.page_size;
  memcpy(id.cpu, hello.cpu, sizeof hello.cpu);
  id.xcr0 = hello.xcr0;
  return id;
}

// What both proofs cover.
struct Transcript {
  wire::Hello primary, backup;
};

Key32 proof_of(const MirrorConfig& config, const Transcript& transcript, const char* role) {
  std::string input = std::string("understudy mirror proof, ") + role;
  input.push_back('\0');
  input.append(reinterpret_cast<const char*>(&transcript), sizeof transcript);
  return hmac_sha256(config.key.data(), config.key.size(), input.data(), input.size());
}

SessionKeys keys_of(const MirrorConfig& config, const Transcript& transcript) {
  const Key32 salt = sha256(&transcript, sizeof transcript);
  const auto derive = [&](const char* label) { return hkdf_sha256(config.key.data(), config.key.size(), salt, label); };
  return {derive("understudy mirror control, primary"), derive("understudy mirror control, backup"),
          derive("understudy mirror records"),          derive("understudy mirror marks, primary"),
          derive("understudy mirror marks, backup"),    derive("understudy mirror transport token")};
}

[[noreturn]] void refuse(Control& control, wire::MessageType type, Reason reason, const std::string& text) {
  control.say(type, reason, text);
  throw MirrorRefusal(reason, text);
}

std::string versions(uint16_t low, uint16_t high) {
  return low == high ? std::to_string(low) : std::to_string(low) + " to " + std::to_string(high);
}

uint16_t common_version(Control& control, const MirrorConfig& config, const wire::Hello& theirs) {
  const uint16_t low = std::max(config.identity.version_min, theirs.version_min);
  const uint16_t high = std::min(config.identity.version_max, theirs.version_max);
  if (low <= high) return high;
  refuse(control, wire::kRefuse, Reason::kVersion,
         "the mirror protocol's versions do not meet: one host speaks " +
             versions(config.identity.version_min, config.identity.version_max) + ", the other " +
             versions(theirs.version_min, theirs.version_max) + "; install releases of Understudy that overlap");
}

std::string text_of(const char* field, size_t bytes) { return printable({field, strnlen(field, bytes)}); }

// Why these two cannot be a pair; kNone when they can. Only asked about a peer that holds the key.
Reason objection(const MirrorConfig& config, const wire::Hello& primary, const wire::Hello& backup, std::string* text) {
  const std::string service = text_of(primary.service, sizeof primary.service);
  if (memcmp(primary.service, backup.service, sizeof primary.service) != 0) {
    *text = "the primary mirrors service '" + service + "', and this backup is for '" +
            text_of(backup.service, sizeof backup.service) + "'";
    return Reason::kService;
  }
  *text = incompatibility(identity_of(primary), identity_of(backup));
  if (!text->empty()) return Reason::kIncompatible;
  if (primary.encrypt != backup.encrypt) {
    *text = std::string("encryption is ") + (primary.encrypt != 0 ? "on" : "off") + " at the primary and " +
            (backup.encrypt != 0 ? "on" : "off") + " at the backup: set it alike";
    return Reason::kEncryption;
  }
  if (memcmp(primary.provider, backup.provider, sizeof primary.provider) != 0) {
    *text = "the primary mirrors over '" + text_of(primary.provider, sizeof primary.provider) +
            "' and the backup over '" + text_of(backup.provider, sizeof backup.provider) + "': set it alike";
    return Reason::kProvider;
  }
  if (primary.ring_bytes < kMinRing || primary.ring_bytes > kMaxRing ||
      (primary.ring_bytes & (primary.ring_bytes - 1)) != 0) {
    *text = "the primary asks for a ring of " + std::to_string(primary.ring_bytes) + " bytes; a power of two from " +
            std::to_string(kMinRing) + " to " + std::to_string(kMaxRing) + " is possible";
    return Reason::kMalformed;
  }
  if (primary.epoch < backup.epoch) {
    *text = "the primary's epoch " + std::to_string(primary.epoch) + " of service '" + service +
            "' is over; it is epoch " + std::to_string(config.epoch) + " now";
    return Reason::kEpoch;
  }
  return Reason::kNone;
}
}  // namespace

MirrorConfig checked(MirrorConfig config) {
  const auto bad = [](const std::string& text) { throw HostError("MIRROR", EINVAL, "", text); };
  if (config.key.size() < 16)
    bad("the mirror's pre-shared key has " + std::to_string(config.key.size()) + " bytes; 16 at least are needed");
  if (config.service.empty() || config.service.size() >= sizeof(wire::Hello::service))
    bad("a service's name must have 1 to " + std::to_string(sizeof(wire::Hello::service) - 1) + " bytes");
  if (config.provider.empty() || config.provider.size() >= sizeof(wire::Hello::provider))
    bad("'" + printable(config.provider) + "' is no libfabric provider; use tcp or verbs");
  if (config.ring_bytes < kMinRing || config.ring_bytes > kMaxRing ||
      (config.ring_bytes & (config.ring_bytes - 1)) != 0)
    bad("a mirror's ring must be a power of two from " + std::to_string(kMinRing) + " to " + std::to_string(kMaxRing) +
        " bytes, not " + std::to_string(config.ring_bytes));
  if (config.heartbeat_ms == 0 || config.deadline_ms < config.heartbeat_ms * 3)
    bad("the mirror's deadline (" + std::to_string(config.deadline_ms) + " ms) must be three heartbeats (" +
        std::to_string(config.heartbeat_ms) + " ms) at least, or one late heartbeat would end it");
  return config;
}

Greeting greet_as_primary(Control& control, const MirrorConfig& config, uint64_t until_ns) {
  Transcript transcript{hello_of(config), {}};
  control.send(wire::kHello, transcript.primary, until_ns);
  const auto challenge = control.receive<wire::Challenge>(wire::kChallenge, until_ns);
  transcript.backup = challenge.hello;
  Greeting greeting{};
  greeting.theirs = challenge.hello;
  greeting.version = common_version(control, config, challenge.hello);
  Key32 shown;
  memcpy(shown.data(), challenge.proof, shown.size());
  if (!equal_constant_time(shown, proof_of(config, transcript, "backup")))
    refuse(control, wire::kRefuse, Reason::kKey,
           "the pre-shared keys differ: the backup at " + control.peer() +
               " could not show that it holds the primary's key");
  control.send(wire::kProof, proof_of(config, transcript, "primary"), until_ns);
  greeting.keys = keys_of(config, transcript);
  control.secure(greeting.keys.control_primary, greeting.keys.control_backup);
  return greeting;
}

Greeting greet_as_backup(Control& control, const MirrorConfig& config, uint64_t until_ns) {
  Transcript transcript{control.receive<wire::Hello>(wire::kHello, until_ns), hello_of(config)};
  Greeting greeting{};
  greeting.theirs = transcript.primary;
  greeting.version = common_version(control, config, transcript.primary);
  wire::Challenge challenge{transcript.backup, {}};
  const Key32 proof = proof_of(config, transcript, "backup");
  memcpy(challenge.proof, proof.data(), proof.size());
  control.send(wire::kChallenge, challenge, until_ns);
  if (!equal_constant_time(control.receive<Key32>(wire::kProof, until_ns), proof_of(config, transcript, "primary")))
    refuse(control, wire::kRefuse, Reason::kKey,
           "the host at " + control.peer() + " could not show that it holds the pre-shared key");
  greeting.keys = keys_of(config, transcript);
  control.secure(greeting.keys.control_backup, greeting.keys.control_primary);
  std::string text;
  const Reason reason = objection(config, transcript.primary, transcript.backup, &text);
  if (reason != Reason::kNone) refuse(control, wire::kBye, reason, text);
  return greeting;
}

}  // namespace understudy::host
