// Scenarios of the mirror with peers that are unfit, hostile or broken: refused handshakes, noise at the port, damaged records,
// writes that come too late.
//
// usage: mirror_hostile_test [SCENARIO]          all of them, or those whose name contains SCENARIO
#include "mirror_fixture.h"

using namespace understudy::host;

namespace {

// ---- Handshakes ----------------------------------------------------------------------------------------------
// What one side is told, the other one logs.
void refused(const char* what, const std::function<void(MirrorConfig&)>& change, const char* part) {
  MirrorConfig config = config_of();
  Backup backup(config);
  config.port = backup.receiver->port();
  change(config);
  Primary primary(config);
  if (!primary.wait([&] { return primary.loss.has_value(); })) printf("%s: not refused\n", what);
  CHECK(primary.loss && primary.loss->kind == MirrorLossKind::Refused);
  if (primary.loss) CHECK_HAS(primary.loss->text, part);
  CHECK(backup.wait([&] { return !backup.incidents.empty(); }));
  CHECK_HAS(backup.heard(), part);
  CHECK(!backup.peer && !backup.receiver->connected());
  CHECK(primary.append(1, 1, "x") == 0);
}

void unfit_peers_are_refused_on_both_sides() {
  refused(
      "key", [](MirrorConfig& c) { c.key.assign(32, 0x5b); }, "pre-shared key");
  refused(
      "version", [](MirrorConfig& c) { c.identity.version_min = c.identity.version_max = 9; }, "versions do not meet");
  refused(
      "machine", [](MirrorConfig& c) { c.identity.machine = 183; }, "the primary is aarch64 and the backup x86-64");
  refused(
      "page size", [](MirrorConfig& c) { c.identity.page_size = 65536; }, "65536 bytes");
  refused(
      "cpu", [](MirrorConfig& c) { c.identity.cpu[2] |= 1u << 26; }, "avx512pf");
  refused(
      "epoch", [](MirrorConfig& c) { c.epoch = 6; }, "epoch 6 of service 'orders' is over; it is epoch 7 now");
  refused(
      "service", [](MirrorConfig& c) { c.service = "billing"; }, "'billing'");
  refused(
      "encryption", [](MirrorConfig& c) { c.encrypt = true; }, "encryption is on at the primary and off at the backup");
}

void one_primary_at_a_time() {
  MirrorConfig config = config_of();
  Backup backup(config);
  config.port = backup.receiver->port();
  Primary first(config);
  CHECK(first.sender->wait_connected(10'000));
  Primary second(config);
  CHECK(second.wait([&] { return second.loss.has_value(); }));
  CHECK_HAS(second.loss->text, "connected to a primary already");
  CHECK(!first.sender->lost());
}

int connect_to(uint16_t port) {
  socklen_t bytes = 0;
  const sockaddr_storage at = parse_address("127.0.0.1", port, &bytes);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connect(fd, reinterpret_cast<const sockaddr*>(&at), bytes) != 0) abort();
  return fd;
}

void garbage_does_no_harm() {
  MirrorConfig config = config_of();
  config.handshake_ms = 500;
  Backup backup(config);
  const uint16_t port = backup.receiver->port();
  // Noise; a giant length; half a message and then silence; silence at once.
  std::mt19937 random(1);
  std::vector<UniqueFd> held;
  for (int i = 0; i < 40; i++) {
    UniqueFd fd(connect_to(port));
    uint8_t noise[2000];
    for (uint8_t& byte : noise) byte = uint8_t(random());
    if (i % 4 == 1) {
      const wire::MessageHeader header{wire::kMagic, wire::kHello, 0xffff};
      memcpy(noise, &header, sizeof header);
    } else if (i % 4 == 2) {
      const wire::MessageHeader header{wire::kMagic, wire::kHello, sizeof(wire::Hello)};
      memcpy(noise, &header, sizeof header);
    }
    if (i % 4 != 3) (void)!send(fd.get(), noise, i % 4 == 2 ? 100 : sizeof noise, MSG_NOSIGNAL);
    held.push_back(std::move(fd));
  }
  // A flood of mute connections is still there while the primary comes.
  config.port = port;
  config.handshake_ms = 5000;
  Primary primary(config);
  CHECK(primary.sender->wait_connected(10'000));
  const uint64_t end = primary.append(1, 1, "hello");
  CHECK(primary.wait([&] { return primary.marks.received == end; }));
  CHECK_HAS(backup.heard(), "does not speak the mirror's protocol");
  for (int i = 0; i < 2000 && backup.receiver->stats().incidents < 39; i++) usleep(5000);
  CHECK(backup.receiver->stats().incidents >= 39);
  for (int i = 0; i < 500; i++) close(connect_to(port));
  const uint64_t next = primary.append(1, 2, "still here");
  CHECK(primary.wait([&] { return primary.marks.received == next; }));
  CHECK(backup.receiver->stats().incidents > 50);
  // Reports are bounded.
  const std::string heard = backup.heard();
  CHECK(std::count(heard.begin(), heard.end(), '\n') < 60);
}

// Stands between two ends and keeps what the primary says.
class Eavesdropper {
 public:
  explicit Eavesdropper(uint16_t to) : to_(to), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    socklen_t bytes = 0;
    sockaddr_storage at = parse_address("127.0.0.1", 0, &bytes);
    if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), bytes) != 0 || listen(listener_.get(), 1) != 0) abort();
    getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&at), &bytes);
    port = ntohs(reinterpret_cast<sockaddr_in&>(at).sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~Eavesdropper() { thread_.join(); }
  uint16_t port;
  std::string heard;

 private:
  void run() {
    const UniqueFd in(accept(listener_.get(), nullptr, nullptr)), out(connect_to(to_));
    for (;;) {
      pollfd ready[2] = {{in.get(), POLLIN, 0}, {out.get(), POLLIN, 0}};
      poll(ready, 2, -1);
      char buffer[4096];
      for (int i = 0; i < 2; i++) {
        if (ready[i].revents == 0) continue;
        const ssize_t n = read(ready[i].fd, buffer, sizeof buffer);
        if (n <= 0) return;
        if (i == 0) heard.append(buffer, size_t(n));
        (void)!send(ready[1 - i].fd, buffer, size_t(n), MSG_NOSIGNAL);
      }
    }
  }
  uint16_t to_;
  UniqueFd listener_;
  std::thread thread_;
};

void replayed_handshake_is_refused() {
  MirrorConfig config = config_of();
  std::string heard;
  {
    Backup backup(config);
    Eavesdropper wire_tap(backup.receiver->port());
    config.port = wire_tap.port;
    {
      Primary primary(config);
      CHECK(primary.sender->wait_connected(10'000));
    }
    CHECK(backup.wait([&] { return backup.loss.has_value(); }));
    heard = wire_tap.heard;
  }
  CHECK(heard.size() > 300);
  Backup backup(config_of());
  const UniqueFd fd(connect_to(backup.receiver->port()));
  (void)!send(fd.get(), heard.data(), heard.size(), MSG_NOSIGNAL);
  CHECK(backup.wait([&] { return !backup.incidents.empty(); }));
  CHECK_HAS(backup.heard(), "could not show that it holds the pre-shared key");
  CHECK(!backup.peer);
}

// ---- Damage --------------------------------------------------------------------------------------------------
// A primary that holds the key and follows the handshake, but writes what it likes.
struct Rogue {
  explicit Rogue(const MirrorConfig& config) : ring(config.ring_bytes) {
    const uint64_t until = monotonic_ns() + 5'000'000'000;
    auto control = Control::connect(config.address, config.port, until);
    const Greeting greeting = greet_as_primary(*control, config, until);
    const auto accept = control->receive<wire::Accept>(wire::kAccept, until);
    auto fabric = std::make_unique<Fabric>(config.provider, Fabric::Role::Connect, config.address, accept.port);
    id = fabric->share(ring.base(), ring.bytes() * 2, false);
    target = {accept.ring.address, accept.ring.key};
    sealer.emplace(greeting.keys.records, Sealer::Use::Seal);
    link = std::make_unique<Link>(Link::Side::Primary, config, greeting, std::move(control), std::move(fabric), kick);
    link->set_peer_marks(accept.marks);
    link->control().send(wire::kReady, wire::Ready{link->marks_memory()}, until);
    link->fabric().connect(greeting.keys.token.data(), greeting.keys.token.size(), until);
    link->control().receive<uint64_t>(wire::kGo, until);
    link->start();
  }
  // A good record at the stream's begin, or after `at`.
  uint64_t record(uint64_t at, uint64_t epoch, const std::string& data) {
    wire::RecordHeader header{0, uint32_t(data.size()), epoch, 1, 1, wire::lap_of(at)};
    memcpy(ring.at(at), &header, sizeof header);
    memcpy(ring.at(at) + sizeof header, data.data(), data.size());
    const uint32_t crc = crc32c(0, ring.at(at) + 4, sizeof header - 4 + data.size());
    memcpy(ring.at(at), &crc, 4);
    return wire::record_span(data.size());
  }
  void send(uint64_t at, uint64_t bytes) {
    link->fabric().write(id, ring.at(at), bytes, target, at, wire::immediate_of_bytes(bytes));
  }
  // Goes on until the backup says farewell; its words.
  MirrorLoss farewell() {
    try {
      for (const uint64_t until = monotonic_ns() + 5'000'000'000; monotonic_ns() < until;) {
        link->turn();
        link->send_mark({});
        link->sleep(monotonic_ns() + 1'000'000);
      }
    } catch (const LinkLost& lost) { return lost.loss; }
    return {MirrorLossKind::Error, "nothing", 0, 0};
  }
  Kick kick;
  TwinRing ring;
  std::optional<Sealer> sealer;
  std::unique_ptr<Link> link;
  int id = 0;
  RemoteMemory target;
};

void damaged(bool encrypt, const std::function<uint64_t(Rogue&)>& write, const char* part) {
  MirrorConfig config = config_of();
  config.encrypt = encrypt;
  Backup backup(config);
  config.port = backup.receiver->port();
  Rogue rogue(config);
  rogue.send(0, write(rogue));
  const MirrorLoss told = rogue.farewell();
  CHECK(told.kind == MirrorLossKind::Corrupt);
  CHECK_HAS(told.text, part);
  CHECK(backup.wait([&] { return backup.end.has_value(); }));
  CHECK(backup.loss && backup.loss->kind == MirrorLossKind::Corrupt);
  // Nothing of it counts: neither the damaged record nor one behind it.
  CHECK(backup.records.empty() && backup.receiver->received() == 0);
}

void damage_is_noticed() {
  const auto flip = [](uint64_t byte) {
    return [byte](Rogue& rogue) {
      uint64_t bytes = rogue.record(0, 7, "the quick brown fox");
      bytes += rogue.record(bytes, 7, "jumps");
      *rogue.ring.at(byte) ^= 0x10;
      return bytes;
    };
  };
  damaged(false, flip(40), "failed its CRC");   // payload
  damaged(false, flip(0), "failed its CRC");    // the CRC itself
  damaged(false, flip(16), "failed its CRC");   // seq
  damaged(false, flip(7), "no record begins");  // length, absurd now
  damaged(
      false, [](Rogue& r) { return r.record(0, 6, "of an older epoch"); }, "no record begins");
  damaged(
      false, [](Rogue& r) { return r.record(8, 7, "of another place"); }, "no record begins");
  damaged(
      true,
      [](Rogue& rogue) {
        const uint64_t bytes = rogue.record(0, 7, "the quick brown fox");
        std::string plain(reinterpret_cast<const char*>(rogue.ring.base()), bytes);
        rogue.sealer->seal(0, plain.data(), bytes, rogue.ring.base());
        *rogue.ring.at(12) ^= 1;
        return bytes + kSealTag;
      },
      "failed its authentication");
  damaged(
      true,
      [](Rogue& rogue) {  // sealed rightly, but for another place
        const uint64_t bytes = rogue.record(0, 7, "the quick brown fox");
        std::string plain(reinterpret_cast<const char*>(rogue.ring.base()), bytes);
        rogue.sealer->seal(64, plain.data(), bytes, rogue.ring.base());
        return bytes + kSealTag;
      },
      "failed its authentication");
}

void stale_write_is_refused_by_the_transport() {
  MirrorConfig config = config_of();
  Backup backup(config);
  config.port = backup.receiver->port();
  Rogue rogue(config);
  uint64_t at = rogue.record(0, 7, "in time");
  rogue.send(0, at);
  CHECK(backup.wait([&] { return backup.records.size() == 1; }));
  backup.receiver->stop_acknowledging("over");
  const uint64_t more = rogue.record(at, 7, "too late");
  try {
    rogue.send(at, more);
  } catch (const FabricError&) {
    // The transport may know already.
  }
  CHECK(rogue.farewell().kind == MirrorLossKind::Refused);
  CHECK(backup.wait([&] { return backup.end.has_value(); }));
  CHECK(backup.records.size() == 1 && backup.receiver->received() == at);
}

void bad_configurations_are_errors() {
  const auto text = [](const std::function<void(MirrorConfig&)>& change) {
    MirrorConfig config = config_of();
    change(config);
    try {
      MirrorReceiver receiver(config, {});
    } catch (const HostError& error) { return std::string(error.what()); }
    return std::string();
  };
  CHECK_HAS(text([](MirrorConfig& c) { c.key.resize(8); }), "16 at least");
  CHECK_HAS(text([](MirrorConfig& c) { c.address = "backup.example"; }), "is no IP address");
  CHECK_HAS(text([](MirrorConfig& c) { c.address = "192.0.2.1"; }), "cannot listen at");
  CHECK_HAS(text([](MirrorConfig& c) { c.ring_bytes = 100'000; }), "must be a power of two");
  CHECK_HAS(text([](MirrorConfig& c) { c.deadline_ms = 20; }), "three heartbeats");
  MirrorConfig config = config_of(1);
  Primary primary(config);
  CHECK(primary.wait([&] { return primary.loss.has_value(); }));
  CHECK_HAS(primary.loss->text, "Connection refused");
  MirrorConfig other = config_of();
  other.provider = "nonsense";
  Backup backup(other);
  other.port = backup.receiver->port();
  Primary unheard(other);
  CHECK(unheard.wait([&] { return unheard.loss.has_value(); }));
  CHECK_HAS(unheard.loss->text, "'nonsense'");
}

const Scenario kScenarios[] = {
    {"unfit peers are refused on both sides", unfit_peers_are_refused_on_both_sides},
    {"one primary at a time", one_primary_at_a_time},
    {"garbage does no harm", garbage_does_no_harm},
    {"a replayed handshake is refused", replayed_handshake_is_refused},
    {"damage is noticed", damage_is_noticed},
    {"a stale write is refused by the transport", stale_write_is_refused_by_the_transport},
    {"bad configurations are errors", bad_configurations_are_errors},
};

}  // namespace

int main(int argc, char** argv) { return run_scenarios(kScenarios, argc == 2 ? argv[1] : nullptr); }
