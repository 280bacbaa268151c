// Scenarios of the mirror, over loopback: records, watermarks, ends. Two ends in one process, or one of them in a child that is
// killed or stopped.
//
// usage: mirror_test [SCENARIO]          all of them, or those whose name contains SCENARIO
//        mirror_test backup              (the child) a receiver; prints its port and waits
//        mirror_test primary PORT        (the child) a sender that appends for ever
#include "mirror_fixture.h"

using namespace understudy::host;

namespace {

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
  } catch (const HostError& error) { text = error.what(); }
  CHECK_HAS(text, "half of the ring is the limit");
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
    const std::string last = child.line();
    CHECK_HAS(last, "gave this connection up");
    // A mark that was on its way when it froze may be read after it thaws: it says no more than the backup holds.
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
    // While a guest starts beside it.
    Liveness young(10 * ms, 50 * ms, 0);
    CHECK(!young.gone(299 * ms) && young.gone(300 * ms));
  }
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
  static std::atomic<uint64_t> marked{0};
  hooks.on_watermarks = [](const Watermarks&) { marked = monotonic_ns(); };
  hooks.on_lost = [](const MirrorLoss& loss) {
    const uint64_t since = loss.at_ns - marked;
    printf("%s; the last watermark came %s\n", loss.text.c_str(), since > 100'000'000 ? "long before" : "just before");
    fflush(stdout);
  };
  MirrorSender sender(config_of(port), hooks);
  for (uint64_t seq = 0;; seq++) {
    const std::string data = content(seq, 200);
    const iovec part{const_cast<char*>(data.data()), data.size()};
    // Without a rest: whenever it is stopped, acknowledgements are on their way.
    if (sender.append(1, seq, &part, 1, true) == 0) pause();
  }
}

const Scenario kScenarios[] = {
    {"records arrive in order", [] { records_arrive_in_order(false); }},
    {"records arrive in order, sealed", [] { records_arrive_in_order(true); }},
    {"watermarks come back", [] { watermarks_come_back("127.0.0.1"); }},
    {"watermarks come back over IPv6", [] { watermarks_come_back("::1"); }},
    {"a slow backup slows the primary", slow_backup_slows_the_primary},
    {"large records arrive", [] { large_records_arrive(false); }},
    {"large records arrive, sealed", [] { large_records_arrive(true); }},
    {"too large a record is an error", too_large_a_record_is_an_error},
    {"the fence is final", fence_is_final},
    {"a planned end loses nothing", planned_end_loses_nothing},
    {"deaths are noticed", deaths_are_noticed},
    {"the judgement is fair", judgement_is_fair},
};

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && strcmp(argv[1], "backup") == 0) return child_backup();
  if (argc == 3 && strcmp(argv[1], "primary") == 0) return child_primary(uint16_t(atoi(argv[2])));
  return run_scenarios(kScenarios, argc == 2 ? argv[1] : nullptr);
}
