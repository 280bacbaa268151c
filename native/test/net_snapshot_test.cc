// A backup for a connection that exists already: the snapshot of its socket, what the table and the flows make of it, and the takeover
// afterwards. Needs root; without it only the records are tested (status 77).
//
// usage: net_snapshot_test [NAME]    only scenarios whose name contains NAME
#include <filesystem>
#include <net/if.h>

#include <random>

#include "net/classifier.h"
#include "net_world.h"

namespace {

// A service without a backup, and what is done when it gets one.
class Late : public World {
 public:
  explicit Late(Setup setup) : World(with_late_gate(setup)) {}

  // A connection that nobody watches.
  void connect_unseen(bool accepted = true) {
    shadow_listener = shadow_socket();
    set_option(shadow_listener.get(), SOL_SOCKET, SO_REUSEADDR, 1);
    client = client_socket();
    CHECK(connect_to(client.get(), {vip, kPort}) == 0);
    if (accepted) accept_unseen();
  }
  void accept_unseen() {
    server = UniqueFd(accept(listener.get(), nullptr, nullptr));
    shadow = shadow_socket();
  }
  void put_up() {
    lab.in("a", [&] { put_up_gate(); });
  }
  static size_t descriptors() {
    namespace fs = std::filesystem;
    return size_t(std::distance(fs::directory_iterator("/proc/self/fd"), fs::directory_iterator()));
  }
  // Of the descriptors of this process only those of the guest are meant.
  std::vector<SocketState> snapshot(std::unordered_map<uint64_t, InFlight> in_flight = {}) {
    ConnectionSnapshot taken;
    const auto none_passes = gate->hold();
    const size_t before = descriptors();
    lab.in("a",
           [&] { taken = take_snapshot({getpid()}, {.vip = vip, .gated = {}, .in_flight = std::move(in_flight)}); });
    CHECK(descriptors() == before);  // with a duplicate left, what the guest closes would not be closed
    std::vector<SocketState> mine;
    for (const SocketState& s : taken.sockets) {
      const bool guests = s.cookie == 0 || s.cookie == cookie_of(server.get()) ||
                          s.cookie == cookie_of(listener.get()) || s.cookie == cookie_of(datagram.get());
      if (guests) mine.push_back(decode_socket(encode_socket(s)));
    }
    CHECK(taken.failed.empty() && taken.missed == 0);
    table.import(mine);
    table.map_cookies([this](uint64_t cookie) -> uint64_t {
      if (server && cookie == cookie_of(server.get())) return cookie_of(shadow.get());
      if (listener && cookie == cookie_of(listener.get())) return cookie_of(shadow_listener.get());
      return cookie;
    });
    return mine;
  }
  void begin_backup() {
    put_up();
    snapshot();
  }
  UniqueFd datagram;

 private:
  static Setup with_late_gate(Setup setup) {
    setup.late_gate = true;
    return setup;
  }
};

void stream_goes_on(World::Setup setup, bool dual_stack = false) {
  Late w(setup);
  w.dual_stack = dual_stack;
  w.connect_unseen();
  say(w.client.get(), "question 1, question 2, ");
  CHECK(receive(w.server.get(), 12) == "question 1, ");
  say(w.server.get(), "answer 1, ");
  CHECK(receive(w.client.get(), 10) == "answer 1, ");
  w.begin_backup();
  // Everything that comes after it continues.
  say(w.client.get(), "question 3, ");
  CHECK(receive(w.server.get(), 16) == "question 2, ques");
  w.tell(abi::kNetConsumed, w.shadow.get(), 16);
  w.guest_writes("answer 2, answer 3, ", 10);
  CHECK(receive(w.client.get(), 10) == "answer 2, ");
  CHECK(w.table_has(24));
  w.kill_primary();
  say(w.client.get(), "question 4");
  const TakeoverResult result = w.take_over();
  CHECK(result.connections == 1 && result.lost.empty() && result.listeners == 1 && result.resent_bytes == 10);
  CHECK(receive(w.client.get(), 10) == "answer 3, ");
  CHECK(receive(w.shadow.get(), 18) == "tion 3, question 4");
  say(w.shadow.get(), "answer 4");
  CHECK(receive(w.client.get(), 8) == "answer 4");
  w.check_new_client_is_served();
}

void takeover_right_after_it() {
  Late w({});
  w.connect_unseen();
  say(w.client.get(), "unread");
  CHECK(eventually([&] { return option(w.server.get(), SOL_SOCKET, SO_ERROR) == 0; }));
  w.begin_backup();
  w.kill_primary();
  const TakeoverResult result = w.take_over();
  CHECK(result.connections == 1 && result.answered == 1 && result.unread_bytes == 6 && result.lost.empty());
  CHECK(receive(w.shadow.get(), 6) == "unread");
  say(w.shadow.get(), "written");
  CHECK(receive(w.client.get(), 7) == "written");
}

void nothing_is_disturbed() {
  Late w({});
  w.connect_unseen();
  set_option(w.server.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(w.server.get(), SOL_SOCKET, SO_PEEK_OFF, 2);
  const int peek_before = option(w.server.get(), SOL_SOCKET, SO_PEEK_OFF);
  say(w.client.get(), "input");
  const std::string text = text_of(8'000'000);
  const ssize_t sent = send(w.server.get(), text.data(), text.size(), MSG_DONTWAIT);
  CHECK(sent > 0);
  usleep(300'000);  // until the client's window is closed
  w.put_up();
  const auto segments = [&] {
    // The field behind what netinet/tcp.h knows of this structure.
    uint32_t words[40]{};
    socklen_t len = sizeof words;
    getsockopt(w.server.get(), SOL_TCP, TCP_INFO, words, &len);
    return words[34];
  };
  const uint32_t before = segments();
  for (int i = 0; i < 20; i++) w.snapshot();
  CHECK(segments() == before);
  CHECK(option(w.server.get(), SOL_SOCKET, SO_REUSEADDR) == 1);
  CHECK(option(w.server.get(), SOL_SOCKET, SO_PEEK_OFF) == peek_before);
  CHECK(receive(w.client.get(), size_t(sent)) == text.substr(0, size_t(sent)));
  CHECK(receive(w.server.get(), 5) == "input");
}

// The gate is put up between packets of a connection that is in use.
void gate_comes_later(World::Setup setup) {
  Late w(setup);
  // Before there are connections: adding one drops a packet at times.
  if (setup.flows) w.lab.in("a", [] { prepare_interface(int(if_nametoindex("eth0"))); });
  w.connect_unseen();
  std::atomic<bool> over = false;
  uint64_t longest_ns = 0, rounds = 0;
  std::thread traffic([&] {
    while (!over) {
      const uint64_t begin = monotonic_ns();
      say(w.client.get(), "question");
      CHECK(receive(w.server.get(), 8) == "question");
      say(w.server.get(), "answer");
      CHECK(receive(w.client.get(), 6) == "answer");
      longest_ns = std::max(longest_ns, monotonic_ns() - begin);
      rounds++;
    }
  });
  usleep(100'000);
  const uint64_t begin = monotonic_ns();
  w.put_up();
  const uint64_t end = monotonic_ns();
  usleep(300'000);
  over = true;
  traffic.join();
  // A lost packet would be repeated after 200 ms. A packet waits for as long as it takes to put up the gate: on a machine that is busy
  // with other things that can be as long, and says nothing.
  CHECK(longest_ns < 190'000'000 || end - begin > 150'000'000);
  printf("%.1f ms to put up the gate, %llu round trips, the longest %.1f ms\n", double(end - begin) / 1e6,
         static_cast<unsigned long long>(rounds), double(longest_ns) / 1e6);
}

// Both directions are full.
void nobody_reads() {
  Late w({});
  w.connect_unseen();
  const std::string text = text_of(8'000'000);
  const ssize_t down = send(w.server.get(), text.data(), text.size(), MSG_DONTWAIT);
  const ssize_t up = send(w.client.get(), text.data(), text.size(), MSG_DONTWAIT);
  CHECK(down > 0 && up > 0);
  usleep(300'000);
  w.begin_backup();
  w.kill_primary();
  const TakeoverResult result = w.take_over();
  CHECK(result.connections == 1 && result.lost.empty() && result.unread_bytes > 0);
  std::thread other([&] { CHECK(receive(w.shadow.get(), size_t(up)) == text.substr(0, size_t(up))); });
  CHECK(receive(w.client.get(), size_t(down)) == text.substr(0, size_t(down)));
  other.join();
}

void client_had_closed_its_half() {
  Late w({});
  w.connect_unseen();
  say(w.client.get(), "first, last");
  shutdown(w.client.get(), SHUT_WR);
  CHECK(receive(w.server.get(), 7) == "first, ");
  usleep(50'000);
  w.begin_backup();
  CHECK(w.seen() != nullptr && w.seen()->all_received());
  w.kill_primary();
  CHECK(w.take_over().connections == 1);
  CHECK(receive(w.shadow.get(), 5) == "last|");
  say(w.shadow.get(), "tail");
  w.shadow.reset();
  CHECK(receive(w.client.get(), 5) == "tail|");
}

void server_had_closed_its_half() {
  Late w({});
  w.connect_unseen();
  say(w.server.get(), "all");
  shutdown(w.server.get(), SHUT_WR);
  CHECK(receive(w.client.get(), 4) == "all|");
  usleep(50'000);
  w.begin_backup();
  CHECK(w.seen() != nullptr && w.seen()->fin_acknowledged);
  say(w.client.get(), "late, ");
  CHECK(w.table_has(6));
  w.kill_primary();
  CHECK(w.take_over().connections == 1);
  say(w.client.get(), "later");
  CHECK(receive(w.shadow.get(), 11) == "late, later");
  w.client.reset();
  CHECK(receive(w.shadow.get(), 1) == "|");
}

void both_had_closed() {
  Late w({});
  w.connect_unseen();
  say(w.client.get(), "unread");
  shutdown(w.server.get(), SHUT_WR);
  CHECK(receive(w.client.get(), 1) == "|");
  w.client.reset();
  usleep(50'000);
  w.begin_backup();
  w.kill_primary();
  CHECK(w.take_over().lost.empty());
  CHECK(receive(w.shadow.get(), 7) == "unread|");
}

void client_had_reset() {
  Late w({});
  w.connect_unseen();
  say(w.client.get(), "last words");
  usleep(50'000);
  reset_on_close(w.client.get());
  w.client.reset();
  usleep(50'000);
  w.begin_backup();
  w.kill_primary();
  w.take_over();
  CHECK(receive(w.shadow.get(), 11) == "last words!ECONNRESET");
}

// Begun after the gate was there: packets tell of the handshake and the input, the snapshot of what the guest did with it.
void begun_before_the_snapshot() {
  Late w({});
  w.put_up();
  w.connect_unseen();
  say(w.client.get(), "read, unread, ");
  CHECK(receive(w.server.get(), 6) == "read, ");
  say(w.server.get(), "answer");
  CHECK(receive(w.client.get(), 6) == "answer");
  w.snapshot();
  CHECK(w.table.stats().connections == 1 && w.table.stats().waiting_for_accept == 0);
  say(w.client.get(), "more");
  CHECK(w.table_has(12));
  w.kill_primary();
  const TakeoverResult result = w.take_over();
  CHECK(result.connections == 1 && result.orphans == 0 && result.lost.empty());
  CHECK(receive(w.shadow.get(), 12) == "unread, more");
  say(w.shadow.get(), " 2");
  CHECK(receive(w.client.get(), 2) == " 2");
}

void begun_and_ended_before_the_snapshot() {
  Late w({});
  w.put_up();
  w.connect_unseen();
  w.server.reset();
  CHECK(receive(w.client.get(), 1) == "|");
  CHECK(w.table.stats().connections == 1);
  w.snapshot();
  CHECK(w.table.stats().connections == 0);
}

void begun_and_not_accepted() {
  Late w({});
  w.put_up();
  w.connect_unseen(false);
  say(w.client.get(), "anyone?");
  CHECK(w.table_has(7));
  w.snapshot();
  w.kill_primary();
  const TakeoverResult result = w.take_over();
  CHECK(result.orphans == 1 && result.lost.empty());
  const UniqueFd fd = w.accept_at_replica();
  CHECK(receive(fd.get(), 7) == "anyone?");
  say(fd.get(), "yes");
  CHECK(receive(w.client.get(), 3) == "yes");
}

// Nobody can know its numbers. It must be said, and both sides must notice.
void not_accepted_and_not_seen() {
  Late w({});
  w.connect_unseen(false);
  w.put_up();
  const std::vector<SocketState> sockets = w.snapshot();
  CHECK(sockets.size() == 2 && sockets[1].kind == SocketState::kWaiting);
  w.accept_unseen();
  w.tell(abi::kNetAccept, w.shadow.get(), cookie_of(w.shadow_listener.get()),
         w.addresses(World::name_of(w.client.get()), {w.vip, kPort}));
  w.kill_primary();
  const TakeoverResult result = w.take_over();
  CHECK(result.lost.size() == 1 && result.lost[0].reason.find("when this backup was added") != std::string::npos);
  CHECK(receive(w.shadow.get(), 1) == "!ECONNRESET");
}

// Calls that moved bytes before the pause, and whose events come after it.
void calls_in_flight() {
  Late w({});
  w.connect_unseen();
  say(w.client.get(), "read before, read after");
  CHECK(receive(w.server.get(), 13) == "read before, ");
  say(w.server.get(), "written");
  CHECK(receive(w.client.get(), 7) == "written");
  w.put_up();
  const std::string read = "before, ";
  w.snapshot({{cookie_of(w.server.get()), InFlight{{read.begin(), read.end()}, 4}}});
  w.tell(abi::kNetConsumed, w.shadow.get(), 8);
  w.guest_writes("tten", 0);
  w.guest_writes(" and more", 0);
  w.kill_primary();
  const TakeoverResult result = w.take_over();
  CHECK(result.connections == 1 && result.lost.empty());
  CHECK(receive(w.shadow.get(), 10) == "read after");
  CHECK(receive(w.client.get(), 9) == " and more");
}

void opened_by_the_guest(bool v6) {
  Late w({.v6 = v6, .outward = true});
  w.telling = false;
  w.open_outward();
  say(w.client.get(), "banner, more");
  CHECK(receive(w.server.get(), 8) == "banner, ");
  w.begin_backup();
  w.telling = true;
  w.guest_writes("hello", 0);
  const Endpoint local = World::name_of(w.server.get());
  w.kill_primary();
  const TakeoverResult result = w.take_over();
  CHECK(result.connections == 1 && result.lost.empty());
  CHECK(World::name_of(w.shadow.get()) == local);
  CHECK(receive(w.client.get(), 5) == "hello");
  CHECK(receive(w.shadow.get(), 4) == "more");
}

void datagram_sockets_are_bound() {
  Late w({});
  w.connect_unseen();
  w.lab.in("a", [&] { w.datagram = UniqueFd(socket(w.family, SOCK_DGRAM, 0)); });
  w.bind_to(w.datagram.get(), {w.vip, 5353});
  const UniqueFd shadow = w.shadow_socket(SOCK_DGRAM);
  w.begin_backup();
  const uint64_t original = cookie_of(w.datagram.get());
  w.table.map_cookies([&](uint64_t cookie) { return cookie == original ? cookie_of(shadow.get()) : cookie; });
  w.kill_primary();
  CHECK(w.take_over().datagrams == 1);
  w.check_datagram_arrives(shadow, 5353);
}

// ---- Flows -------------------------------------------------------------------------------------------------------------------------

void nothing_is_acknowledged_that_the_backup_has_not(bool v6) {
  Late w({.v6 = v6, .flows = true});
  w.connect_unseen();
  say(w.client.get(), "unread, ");
  usleep(50'000);
  w.put_up();
  // In the mirror, and not received yet.
  const uint64_t position = ++w.position;
  w.flows->adopt(w.snapshot(), position, 0);
  CHECK(w.flows->stats().flows == 1);
  w.hold = true;
  say(w.client.get(), "more");
  usleep(100'000);
  CHECK(unacknowledged(w.client.get()) == 1);
  CHECK(receive(w.server.get(), 8) == "unread, ");
  // The backup has the snapshot, then the packet.
  w.flows->advance(position);
  usleep(50'000);
  CHECK(unacknowledged(w.client.get()) == 1);
  w.hold = false;
  w.gate->release(w.position);
  w.flows->advance(w.position);
  CHECK(eventually([&] {
    w.flows->advance(w.position);
    return unacknowledged(w.client.get()) == 0;
  }));
  CHECK(receive(w.server.get(), 4) == "more");
  // Once something has left by the interface, packets need not wait any more: then it is the guest's reading that counts.
  say(w.server.get(), "answer");
  CHECK(receive(w.client.get(), 6) == "answer");
  w.flows->advance(w.position);
  CHECK(eventually([&] {
    w.flows->advance(w.position);
    const uint64_t packets = w.gate->stats().packets_in;
    say(w.client.get(), "more");
    CHECK(receive(w.server.get(), 4) == "more");
    return w.gate->stats().packets_in == packets;
  }));
  CHECK(unacknowledged(w.client.get()) == 1);
}

// ---- Records ----------------------------------------------------------------------------------------------------------------------

void damaged_records_are_refused() {
  SocketState s;
  s.kind = SocketState::kStream;
  s.family = AF_INET;
  s.cookie = 77;
  s.local = {Address::parse("10.0.0.1"), 80};
  s.remote = {Address::parse("10.0.0.2"), 4242};
  s.gated = s.remote_fin = s.sack = s.timestamps = true;
  s.receive_seq = 0xfffffff0;
  s.send_seq = 5;
  s.unread = {1, 2, 3, 4, 5};
  s.output = {6, 7, 8};
  s.mss = 1460;
  s.remote_scale = 7;
  s.local_scale = 9;
  s.window = 65536;
  const Bytes record = encode_socket(s);
  const SocketState again = decode_socket(record);
  CHECK(encode_socket(again) == record);
  CHECK(again.unread == s.unread && again.output == s.output && again.remote == s.remote && again.cookie == 77);
  CHECK(again.receive_seq == s.receive_seq && again.remote_fin && !again.local_fin && again.remote_scale == 7);
  const auto refused = [](const Bytes& bytes) {
    try {
      decode_socket(bytes);
      return false;
    } catch (const HostError& error) { return error.code == "NET"; }
  };
  for (size_t size = 0; size < record.size(); size++)
    CHECK(refused({record.begin(), record.begin() + ptrdiff_t(size)}));
  Bytes longer = record;
  longer.push_back(0);
  CHECK(refused(longer));
  Bytes other = record;
  other[0]++;
  CHECK(refused(other));
  // Whatever is in it: refused, or a record that means the same again.
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; i++) {
    Bytes damaged = record;
    for (uint64_t n = 1 + random() % 4; n > 0; n--) damaged[random() % damaged.size()] = uint8_t(random());
    if (!refused(damaged)) CHECK(encode_socket(decode_socket(damaged)) == damaged);
  }
}

}  // namespace

int main(int argc, char** argv) {
  scenario = "records";
  damaged_records_are_refused();
  if (geteuid() != 0) {
    printf("skipped: network namespaces need root\n");
    return failures == 0 ? 77 : 1;
  }
  return run_scenarios(
      argc, argv,
      {
          {"stream goes on", [] { stream_goes_on({}); }},
          {"stream goes on, IPv6", [] { stream_goes_on({.v6 = true}); }},
          {"stream goes on, dual stack", [] { stream_goes_on({}, true); }},
          {"stream goes on, plain TCP",
           [] {
             stream_goes_on(
                 {.client_sysctl = "net.ipv4.tcp_timestamps=0 net.ipv4.tcp_sack=0 net.ipv4.tcp_window_scaling=0"});
           }},
          {"takeover right after it", takeover_right_after_it},
          {"nothing is disturbed", nothing_is_disturbed},
          {"gate comes later", [] { gate_comes_later({}); }},
          {"gate comes later, with flows and a fence", [] { gate_comes_later({.flows = true}); }},
          {"gate comes later, with a way to the backup", [] { gate_comes_later({.forward = true}); }},
          {"nobody reads", nobody_reads},
          {"client had closed its half", client_had_closed_its_half},
          {"server had closed its half", server_had_closed_its_half},
          {"both had closed", both_had_closed},
          {"client had reset", client_had_reset},
          {"begun before the snapshot", begun_before_the_snapshot},
          {"begun and ended before the snapshot", begun_and_ended_before_the_snapshot},
          {"begun and not accepted", begun_and_not_accepted},
          {"not accepted and not seen", not_accepted_and_not_seen},
          {"calls in flight", calls_in_flight},
          {"opened by the guest", [] { opened_by_the_guest(false); }},
          {"opened by the guest, IPv6", [] { opened_by_the_guest(true); }},
          {"datagram sockets are bound", datagram_sockets_are_bound},
          {"nothing is acknowledged that the backup has not",
           [] { nothing_is_acknowledged_that_the_backup_has_not(false); }},
          {"nothing is acknowledged that the backup has not, IPv6",
           [] { nothing_is_acknowledged_that_the_backup_has_not(true); }},
      });
}
