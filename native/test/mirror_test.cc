// Scenarios of the mirror, over loopback: two ends in one process, or one of them in a child that is killed or stopped.
//
// usage: mirror_test [SCENARIO]          all of them, or those whose name contains SCENARIO
//        mirror_test backup              (the child) a receiver; prints its port and waits
//        mirror_test primary PORT        (the child) a sender that appends for ever
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>

#include "mirror/receiver.h"
#include "mirror/sender.h"

using namespace understudy::host;

namespace {

int failures = 0;
#define CHECK(condition)                                             \
  do {                                                               \
    if (!(condition)) {                                              \
      printf("%s:%d: failed: %s\n", __FILE__, __LINE__, #condition); \
      failures++;                                                    \
    }                                                                \
  } while (0)
#define CHECK_HAS(text, part)                                                                           \
  do {                                                                                                  \
    const std::string text_ = (text);                                                                   \
    if (text_.find(part) == std::string::npos) {                                                        \
      printf("%s:%d: failed: '%s' is not in: %s\n", __FILE__, __LINE__, std::string(part).c_str(), text_.c_str()); \
      failures++;                                                                                       \
    }                                                                                                   \
  } while (0)

MirrorConfig config_of(uint16_t port = 0) {
  MirrorConfig config;
  config.address = "127.0.0.1";
  config.port = port;
  config.service = "orders";
  config.epoch = 7;
  config.key.assign(32, 0x5a);
  config.ring_bytes = 1 << 20;
  // Bounds are generous here: this machine is busy with other tests, and figures belong into bench/.
  config.deadline_ms = 200;
  return config;
}

struct Got {
  uint32_t type;
  uint64_t seq, position;
  std::string data;
};

// A receiver that remembers what it was told.
class Backup {
 public:
  explicit Backup(MirrorConfig config) {
    MirrorReceiver::Hooks hooks;
    hooks.on_connected = [this](const MirrorPeer& p) { set([&] { peer = p; }); };
    hooks.on_record = [this](const MirrorRecord& r) {
      std::unique_lock hold(mutex);
      changed.wait(hold, [&] { return !blocked; });
      records.push_back({r.type, r.seq, r.position, std::string(reinterpret_cast<const char*>(r.data), r.size)});
      changed.notify_all();
    };
    hooks.on_lost = [this](const MirrorLoss& l) { set([&] { loss = l; }); };
    hooks.on_end = [this](uint64_t received) { set([&] { end = received; }); };
    hooks.on_incident = [this](const std::string& text) { set([&] { incidents += text + "\n"; }); };
    receiver.emplace(std::move(config), std::move(hooks));
  }
  ~Backup() {
    set([&] { blocked = false; });
    receiver.reset();
  }
  template <class Change>
  void set(Change change) {
    const std::lock_guard hold(mutex);
    change();
    changed.notify_all();
  }
  template <class Until>
  bool wait(Until until, int ms = 20000) {
    std::unique_lock hold(mutex);
    return changed.wait_for(hold, std::chrono::milliseconds(ms), until);
  }
  std::string heard() {
    const std::lock_guard hold(mutex);
    return incidents;
  }
  std::mutex mutex;
  std::condition_variable changed;
  bool blocked = false;
  std::optional<MirrorPeer> peer;
  std::vector<Got> records;
  std::optional<MirrorLoss> loss;
  std::optional<uint64_t> end;
  std::string incidents;
  std::optional<MirrorReceiver> receiver;
};

class Primary {
 public:
  explicit Primary(MirrorConfig config) {
    MirrorSender::Hooks hooks;
    hooks.on_watermarks = [this](const Watermarks& w) { set([&] { marks = w; }); };
    hooks.on_lost = [this](const MirrorLoss& l) { set([&] { loss = l; }); };
    sender.emplace(std::move(config), std::move(hooks));
  }
  ~Primary() { sender.reset(); }
  uint64_t append(uint32_t type, uint64_t seq, const std::string& data, bool flush = true) {
    const iovec part{const_cast<char*>(data.data()), data.size()};
    return sender->append(type, seq, &part, 1, flush);
  }
  template <class Change>
  void set(Change change) {
    const std::lock_guard hold(mutex);
    change();
    changed.notify_all();
  }
  template <class Until>
  bool wait(Until until, int ms = 20000) {
    std::unique_lock hold(mutex);
    return changed.wait_for(hold, std::chrono::milliseconds(ms), until);
  }
  std::mutex mutex;
  std::condition_variable changed;
  Watermarks marks;
  std::optional<MirrorLoss> loss;
  std::optional<MirrorSender> sender;
};

// A program of this test in a process of its own.
class Child {
 public:
  explicit Child(std::vector<std::string> args) {
    int out[2];
    if (pipe2(out, O_CLOEXEC) != 0) abort();
    pid = fork();
    if (pid == 0) {
      dup2(out[1], 1);
      std::vector<char*> argv;
      static char self[] = "/proc/self/exe";
      argv.push_back(self);
      for (std::string& arg : args) argv.push_back(arg.data());
      argv.push_back(nullptr);
      execv(self, argv.data());
      _exit(127);
    }
    close(out[1]);
    from.reset(out[0]);
  }
  ~Child() {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  std::string line() {
    std::string text;
    char c;
    while (read(from.get(), &c, 1) == 1 && c != '\n') text += c;
    return text;
  }
  pid_t pid;
  UniqueFd from;
};

std::string content(uint64_t seq, size_t bytes) {
  std::string out(bytes, 0);
  std::minstd_rand random(static_cast<unsigned>(seq + 1));
  for (char& c : out) c = char(random());
  return out;
}

// ---- Records -------------------------------------------------------------------------------------------------
// Sizes from nothing to a quarter of the ring, many laps, two appenders as in the host.
void records_arrive_in_order(bool encrypt) {
  MirrorConfig config = config_of();
  config.encrypt = encrypt;
  config.ring_bytes = 128 << 10;
  Backup backup(config);
  config.port = backup.receiver->port();
  Primary primary(config);
  constexpr uint64_t kEach = 6000;
  const auto size_of = [](uint64_t seq) { return seq % 500 == 0 ? size_t(30'000 + seq % 7) : size_t(seq * 37 % 400); };
  std::vector<uint64_t> positions[2];
  const auto appender = [&](uint32_t type) {
    for (uint64_t seq = 0; seq < kEach; seq++)
      positions[type].push_back(primary.append(type, seq, content(seq * 2 + type, size_of(seq)), seq % 5 == 0));
    primary.sender->flush();
  };
  std::thread other(appender, 1);
  appender(0);
  other.join();
  CHECK(backup.wait([&] { return backup.records.size() == kEach * 2; }));
  uint64_t next[2] = {0, 0}, position = 0;
  for (const Got& got : backup.records) {
    if (got.type > 1 || got.seq != next[got.type]++) {
      CHECK(!"out of order");
      break;
    }
    CHECK(got.position > position);
    position = got.position;
    CHECK(got.position == positions[got.type][got.seq]);
    CHECK(got.data == content(got.seq * 2 + got.type, size_of(got.seq)));
  }
  const uint64_t all = primary.sender->appended();
  CHECK(position == all);
  CHECK(primary.wait([&] { return primary.marks.received == all; }));
  CHECK(all > config.ring_bytes * 10);
}

void watermarks_come_back(const char* address) {
  MirrorConfig config = config_of();
  config.address = address;
  Backup backup(config);
  config.port = backup.receiver->port();
  Primary primary(config);
  // Before the connection stands, too.
  const uint64_t first = primary.append(1, 1, "first");
  CHECK(primary.wait([&] { return primary.marks.received >= first; }));
  CHECK(primary.marks.durable == 0 && primary.marks.applied == 0);
  const uint64_t second = primary.append(1, 2, "second");
  backup.receiver->set_durable(first);
  backup.receiver->set_applied(first);
  CHECK(primary.wait([&] { return primary.marks.durable == first && primary.marks.applied == first; }));
  CHECK(primary.wait([&] { return primary.marks.received == second; }));
  // An append that nobody flushes goes out with a heartbeat.
  const uint64_t third = primary.append(1, 3, "third", false);
  CHECK(primary.wait([&] { return primary.marks.received == third; }));
  CHECK(backup.peer && backup.peer->epoch == 7 && backup.peer->version == 1);
  usleep(100'000);
  const PeerClock clock = primary.sender->peer_clock();
  CHECK(clock.valid && llabs(clock.monotonic_offset_ns) < 50'000'000 && llabs(clock.realtime_offset_ns) < 50'000'000);
  CHECK(backup.receiver->peer_clock().valid);
  const MirrorStats stats = backup.receiver->stats();
  CHECK(stats.connected && stats.records == 3 && stats.bytes == third);
}

void slow_backup_slows_the_primary() {
  MirrorConfig config = config_of();
  config.ring_bytes = 64 << 10;
  Backup backup(config);
  backup.blocked = true;
  config.port = backup.receiver->port();
  Primary primary(config);
  std::atomic<uint64_t> appended{0};
  std::thread appender([&] {
    for (uint64_t seq = 0; seq < 1000; seq++) {
      primary.append(1, seq, content(seq, 1000), false);
      appended = seq + 1;
    }
    primary.sender->flush();
  });
  usleep(400'000);
  // Longer than the deadline: a backup that does not get on is slow, not gone.
  const uint64_t then = appended;
  CHECK(then >= 50 && then < 70);
  CHECK(!primary.sender->lost());
  // All of it is received, although nothing is consumed.
  CHECK(primary.wait([&] { return primary.marks.received > 0; }));
  backup.set([&] { backup.blocked = false; });
  appender.join();
  CHECK(backup.wait([&] { return backup.records.size() == 1000; }));
  CHECK(primary.sender->stats().blocks > 0);
}

// A record that takes many writes counts when its last byte is there.
void large_records_arrive(bool encrypt) {
  MirrorConfig config = config_of();
  config.encrypt = encrypt;
  Backup backup(config);
  config.port = backup.receiver->port();
  Primary primary(config);
  for (uint64_t seq = 0; seq < 40; seq++) primary.append(1, seq, content(seq, seq % 3 == 0 ? 5 : 500'000));
  CHECK(backup.wait([&] { return backup.records.size() == 40; }));
  for (const Got& got : backup.records) CHECK(got.data == content(got.seq, got.seq % 3 == 0 ? 5 : 500'000));
}

void too_large_a_record_is_an_error() {
  MirrorConfig config = config_of();
  Backup backup(config);
  config.port = backup.receiver->port();
  Primary primary(config);
  std::string text;
  try {
    primary.append(1, 1, std::string(config.ring_bytes / 2 + 1, 'x'));
  } catch (const HostError& error) {
    text = error.what();
  }
  CHECK_HAS(text, "half of the ring is the limit");
}

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
  refused("key", [](MirrorConfig& c) { c.key.assign(32, 0x5b); }, "pre-shared key");
  refused("version", [](MirrorConfig& c) { c.identity.version_min = c.identity.version_max = 9; }, "versions do not meet");
  refused("machine", [](MirrorConfig& c) { c.identity.machine = 183; }, "the primary is aarch64 and the backup x86-64");
  refused("page size", [](MirrorConfig& c) { c.identity.page_size = 65536; }, "65536 bytes");
  refused("cpu", [](MirrorConfig& c) { c.identity.cpu[2] |= 1u << 26; }, "avx512pf");
  refused("epoch", [](MirrorConfig& c) { c.epoch = 6; }, "epoch 6 of service 'orders' is over; it is epoch 7 now");
  refused("service", [](MirrorConfig& c) { c.service = "billing"; }, "'billing'");
  refused("encryption", [](MirrorConfig& c) { c.encrypt = true; }, "encryption is on at the primary and off at the backup");
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
    } catch (const LinkLost& lost) {
      return lost.loss;
    }
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
  damaged(false, flip(40), "failed its CRC");          // payload
  damaged(false, flip(0), "failed its CRC");           // the CRC itself
  damaged(false, flip(16), "failed its CRC");          // seq
  damaged(false, flip(7), "no record begins");         // length, absurd now
  damaged(false, [](Rogue& r) { return r.record(0, 6, "of an older epoch"); }, "no record begins");
  damaged(false, [](Rogue& r) { return r.record(8, 7, "of another place"); }, "no record begins");
  damaged(true, [](Rogue& rogue) {
    const uint64_t bytes = rogue.record(0, 7, "the quick brown fox");
    std::string plain(reinterpret_cast<const char*>(rogue.ring.base()), bytes);
    rogue.sealer->seal(0, plain.data(), bytes, rogue.ring.base());
    *rogue.ring.at(12) ^= 1;
    return bytes + kSealTag;
  }, "failed its authentication");
  damaged(true, [](Rogue& rogue) {  // sealed rightly, but for another place
    const uint64_t bytes = rogue.record(0, 7, "the quick brown fox");
    std::string plain(reinterpret_cast<const char*>(rogue.ring.base()), bytes);
    rogue.sealer->seal(64, plain.data(), bytes, rogue.ring.base());
    return bytes + kSealTag;
  }, "failed its authentication");
}

// ---- Ends ----------------------------------------------------------------------------------------------------
void fence_is_final() {
  MirrorConfig config = config_of();
  Backup backup(config);
  config.port = backup.receiver->port();
  Primary primary(config);
  std::atomic<bool> stop{false};
  std::thread appender([&] {
    for (uint64_t seq = 0; !stop && primary.append(1, seq, content(seq, 100)) != 0; seq++) continue;
  });
  CHECK(backup.wait([&] { return backup.records.size() > 1000; }));
  backup.receiver->stop_acknowledging("this host takes over");
  const uint64_t received = backup.receiver->received();
  CHECK(primary.wait([&] { return primary.loss.has_value(); }));
  CHECK(primary.loss && primary.loss->kind == MirrorLossKind::Refused);
  CHECK_HAS(primary.loss->text, "this host takes over");
  appender.join();
  stop = true;
  CHECK(backup.wait([&] { return backup.end.has_value(); }));
  CHECK(backup.end == received && backup.receiver->received() == received && backup.receiver->consumed() == received);
  CHECK(!backup.loss);
  // What the primary was told is covered by what the backup has.
  CHECK(primary.marks.received <= received);
  Primary again(config);
  CHECK(again.wait([&] { return again.loss.has_value(); }));
  CHECK_HAS(again.loss->text, "acknowledges nothing any more: this host takes over");
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

void planned_end_loses_nothing() {
  MirrorConfig config = config_of();
  Backup backup(config);
  config.port = backup.receiver->port();
  Primary primary(config);
  for (uint64_t seq = 0; seq < 500; seq++) primary.append(1, seq, "x", false);
  primary.sender->close("switchover", 5000);
  CHECK(backup.wait([&] { return backup.end.has_value(); }));
  CHECK(backup.records.size() == 500);
  CHECK(backup.loss && backup.loss->kind == MirrorLossKind::Closed);
  CHECK_HAS(backup.loss->text, "switchover");
}

void killed_backup_is_noticed(int signal, MirrorLossKind kind) {
  Child child({"backup"});
  MirrorConfig config = config_of(uint16_t(atoi(child.line().c_str())));
  Primary primary(config);
  CHECK(primary.sender->wait_connected(10'000));
  const uint64_t end = primary.append(1, 1, "x");
  CHECK(primary.wait([&] { return primary.marks.received == end; }));
  const uint64_t before = monotonic_ns();
  kill(child.pid, signal);
  CHECK(primary.wait([&] { return primary.loss.has_value(); }));
  const uint64_t ms = (primary.loss->at_ns - before) / 1'000'000;
  printf("  backup, signal %d: %s after %lu ms\n", signal, name_of(primary.loss->kind), static_cast<unsigned long>(ms));
  CHECK(primary.loss->kind == kind);
  CHECK(ms < 1500);
  CHECK(primary.append(1, 2, "y") == 0);
  const Watermarks then = primary.sender->watermarks();
  if (signal == SIGSTOP) {
    kill(child.pid, SIGCONT);
    usleep(100'000);
    CHECK(primary.sender->watermarks() == then);
  }
}

void killed_primary_is_noticed(int signal, MirrorLossKind kind) {
  Backup backup(config_of());
  Child child({"primary", std::to_string(backup.receiver->port())});
  CHECK(backup.wait([&] { return backup.records.size() > 100; }));
  const uint64_t before = monotonic_ns();
  kill(child.pid, signal);
  CHECK(backup.wait([&] { return backup.loss.has_value(); }));
  const uint64_t ms = (backup.loss->at_ns - before) / 1'000'000;
  printf("  primary, signal %d: %s after %lu ms\n", signal, name_of(backup.loss->kind), static_cast<unsigned long>(ms));
  CHECK(backup.loss->kind == kind || (signal == SIGKILL && backup.loss->kind == MirrorLossKind::Error));
  CHECK(ms < 1500);
  CHECK(backup.wait([&] { return backup.end.has_value(); }));
  const uint64_t received = *backup.end;
  CHECK(backup.records.back().position == received);
  if (signal == SIGSTOP) {
    kill(child.pid, SIGCONT);
    // It comes back, and finds itself fenced.
    CHECK_HAS(child.line(), "gave this connection up");
    CHECK(backup.receiver->received() == received);
  }
}

void deaths_are_noticed() {
  killed_backup_is_noticed(SIGKILL, MirrorLossKind::Closed);
  killed_primary_is_noticed(SIGKILL, MirrorLossKind::Closed);
  killed_backup_is_noticed(SIGSTOP, MirrorLossKind::Silent);
  killed_primary_is_noticed(SIGSTOP, MirrorLossKind::Silent);
}

// ---- Judgement -----------------------------------------------------------------------------------------------
void judgement_is_fair() {
  constexpr uint64_t ms = 1'000'000;
  {
    Liveness live(10 * ms, 50 * ms, 0);
    uint64_t now = 0;
    for (int i = 0; i < 100; i++) {
      now += 10 * ms;
      live.look(now, 10 * ms);
      live.heard(now);
    }
    CHECK(!live.gone(now + 49 * ms) && live.gone(now + 50 * ms));
    // This host slept for two seconds without meaning to: that is not the peer's silence.
    const uint64_t woke = now + 2000 * ms;
    live.look(woke, 10 * ms);
    CHECK(!live.gone(woke) && live.gone(woke + 50 * ms));
    live.heard(woke);
    // A jittery peer gets more time, but not for ever.
    now = woke;
    for (int i = 0; i < 50; i++) {
      now += 45 * ms;
      live.look(now, 45 * ms);
      live.heard(now);
    }
    CHECK(live.allowed() == 100 * ms);
    for (int i = 0; i < 20; i++) {
      now += 90 * ms;
      live.look(now, 90 * ms);
      live.heard(now);
    }
    CHECK(live.allowed() <= Liveness::kPatience * 50 * ms);
    // And loses it again.
    for (int i = 0; i < 10'000; i++) {
      now += 10 * ms;
      live.look(now, 10 * ms);
      live.heard(now);
    }
    CHECK(live.allowed() == 50 * ms);
  }
}

void bad_configurations_are_errors() {
  const auto text = [](const std::function<void(MirrorConfig&)>& change) {
    MirrorConfig config = config_of();
    change(config);
    try {
      MirrorReceiver receiver(config, {});
    } catch (const HostError& error) {
      return std::string(error.what());
    }
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

int child_backup() {
  MirrorReceiver::Hooks hooks;
  hooks.on_record = [](const MirrorRecord&) {};
  MirrorReceiver receiver(config_of(), hooks);
  printf("%u\n", receiver.port());
  fflush(stdout);
  for (;;) pause();
}

int child_primary(uint16_t port) {
  MirrorSender::Hooks hooks;
  hooks.on_lost = [](const MirrorLoss& loss) {
    printf("%s\n", loss.text.c_str());
    fflush(stdout);
  };
  MirrorSender sender(config_of(port), hooks);
  for (uint64_t seq = 0;; seq++) {
    const std::string data = content(seq, 200);
    const iovec part{const_cast<char*>(data.data()), data.size()};
    if (sender.append(1, seq, &part, 1, true) == 0) pause();
    usleep(200);
  }
}

struct Scenario {
  const char* name;
  void (*run)();
};
const Scenario kScenarios[] = {
    {"records arrive in order", [] { records_arrive_in_order(false); }},
    {"records arrive in order, sealed", [] { records_arrive_in_order(true); }},
    {"watermarks come back", [] { watermarks_come_back("127.0.0.1"); }},
    {"watermarks come back over IPv6", [] { watermarks_come_back("::1"); }},
    {"a slow backup slows the primary", slow_backup_slows_the_primary},
    {"large records arrive", [] { large_records_arrive(false); }},
    {"large records arrive, sealed", [] { large_records_arrive(true); }},
    {"too large a record is an error", too_large_a_record_is_an_error},
    {"unfit peers are refused on both sides", unfit_peers_are_refused_on_both_sides},
    {"one primary at a time", one_primary_at_a_time},
    {"garbage does no harm", garbage_does_no_harm},
    {"a replayed handshake is refused", replayed_handshake_is_refused},
    {"damage is noticed", damage_is_noticed},
    {"the fence is final", fence_is_final},
    {"a stale write is refused by the transport", stale_write_is_refused_by_the_transport},
    {"a planned end loses nothing", planned_end_loses_nothing},
    {"deaths are noticed", deaths_are_noticed},
    {"the judgement is fair", judgement_is_fair},
    {"bad configurations are errors", bad_configurations_are_errors},
};

}  // namespace

int main(int argc, char** argv) {
  setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc == 2 && strcmp(argv[1], "backup") == 0) return child_backup();
  if (argc == 3 && strcmp(argv[1], "primary") == 0) return child_primary(uint16_t(atoi(argv[2])));
  for (const Scenario& scenario : kScenarios) {
    if (argc == 2 && strstr(scenario.name, argv[1]) == nullptr) continue;
    const int before = failures;
    const uint64_t began = monotonic_ns();
    scenario.run();
    printf("%s %s (%lu ms)\n", failures == before ? "ok    " : "FAILED", scenario.name,
           static_cast<unsigned long>((monotonic_ns() - began) / 1'000'000));
  }
  printf(failures == 0 ? "mirror: passed\n" : "mirror: %d checks failed\n", failures);
  return failures == 0 ? 0 : 1;
}
