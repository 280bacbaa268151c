// The connection table: packets made by hand, and random ones against a model.
//
// usage: net_table_test [SEED]    a failure prints its seed
#include <stdio.h>
#include <stdlib.h>

#include <random>

#include "common.h"
#include "net/connection_table.h"

using namespace understudy;
using namespace understudy::host;

namespace {

int failures = 0;
uint64_t seed = 0;
#define CHECK(condition)                                                        \
  do {                                                                          \
    if (!(condition)) {                                                         \
      printf("%s:%d: failed: %s (seed %llu)\n", __FILE__, __LINE__, #condition, \
             static_cast<unsigned long long>(seed));                            \
      failures++;                                                               \
    }                                                                           \
  } while (0)

using Bytes = std::vector<uint8_t>;

struct Scene {
  explicit Scene(const char* client_ip = "10.0.0.9", const char* vip_ip = "10.0.0.100")
      : client{Address::parse(client_ip), 40000},
        server{Address::parse(vip_ip), 6379},
        table(server.address, [this](abi::MessageLevel, const std::string& text) { said.push_back(text); }) {}

  Endpoint client, server;
  std::vector<std::string> said;
  ConnectionTable table;
  uint32_t client_isn = 0xfffffff0, server_isn = 0xffffff00;  // both come round within the first bytes
  uint32_t client_time = 1000, server_time = 5000;
  bool timestamps = true;
  FlowKey key() const { return {client, server}; }

  TcpPacket make(Direction direction, uint8_t flags, uint32_t seq, uint32_t ack) {
    TcpPacket p;
    const bool in = direction == Direction::kIn;
    p.source = in ? client : server;
    p.destination = in ? server : client;
    p.seq = seq;
    p.ack = ack;
    p.flags = flags;
    p.window = 500;
    p.options.timestamps = timestamps;
    p.options.tsval = in ? client_time : server_time;
    p.options.tsecr = in ? server_time : client_time;
    return p;
  }
  void give(Direction direction, const TcpPacket& p) { table.packet(direction, build_tcp(p)); }
  void in(uint8_t flags, uint64_t offset, const Bytes& bytes, uint64_t acked = 0) {
    TcpPacket p = make(Direction::kIn, flags, client_isn + 1 + uint32_t(offset), server_isn + 1 + uint32_t(acked));
    p.payload = bytes;
    give(Direction::kIn, p);
  }
  void out(uint8_t flags, uint64_t offset) {
    give(Direction::kOut, make(Direction::kOut, flags, server_isn + 1 + uint32_t(offset), client_isn + 1));
  }
  void syn() {
    TcpPacket p = make(Direction::kIn, kSyn, client_isn, 0);
    p.options.mss = 1460;
    p.options.window_scale = 7;
    p.options.sack_permitted = true;
    give(Direction::kIn, p);
  }
  void syn_ack() {
    TcpPacket p = make(Direction::kOut, kSyn | kAck, server_isn, client_isn + 1);
    p.options.mss = 1440;
    p.options.window_scale = 9;
    p.options.sack_permitted = true;
    give(Direction::kOut, p);
  }
  void handshake() {
    syn();
    syn_ack();
    in(kAck, 0, {});
  }
  void message(abi::NetKind kind, uint64_t cookie, uint64_t a, const Bytes& payload = {}) {
    abi::NetMessage m{};
    m.kind = kind;
    m.cookie = cookie;
    m.a = a;
    m.payload_bytes = uint32_t(payload.size());
    table.guest(m, payload.data());
  }
  void accept(uint64_t cookie) {
    Bytes payload(2 * kNetAddressBytes);
    for (int i = 0; i < 2; i++) {
      sockaddr_storage address;
      const uint32_t len = (i == 0 ? client : server).to(&address, client.address.family);
      memcpy(&payload[size_t(i) * kNetAddressBytes], &len, 4);
      memcpy(&payload[size_t(i) * kNetAddressBytes + 4], &address, len);
    }
    message(abi::kNetAccept, cookie, 1, payload);
  }
  Connection* one() {
    for (Connection* c : table.connections()) {
      if (c->key == key()) return c;
    }
    return nullptr;
  }
};

Bytes text(const char* s) { return {s, s + strlen(s)}; }
bool holds(const ByteQueue& queue, const char* s) {
  const auto view = queue.view();
  return Bytes(view.begin(), view.end()) == text(s);
}

void packets_survive_building_and_parsing() {
  for (const char* ip : {"192.168.1.5", "fd00::5"}) {
    Scene s(ip, ip);
    TcpPacket p = s.make(Direction::kIn, kSyn | kAck, 7, 8);
    p.options.mss = 1460;
    p.options.window_scale = 5;
    p.options.sack_permitted = true;
    const Bytes payload = text("odd");
    p.payload = payload;
    Bytes bytes = build_tcp(p);
    CHECK(tcp_checksum_ok(bytes));
    const auto q = parse_tcp(bytes);
    CHECK(q && q->seq == 7 && q->ack == 8 && q->flags == (kSyn | kAck) && q->options.mss == 1460 &&
          q->options.window_scale == 5 && q->options.sack_permitted && q->options.tsval == 1000 &&
          q->source == s.client && Bytes(q->payload.begin(), q->payload.end()) == payload);
    bytes.back() ^= 1;
    CHECK(!tcp_checksum_ok(bytes));
    for (size_t n = 0; n < bytes.size(); n++) CHECK(!parse_tcp(std::span(bytes).first(n)));
  }
}

void handshake_gives_numbers_and_options() {
  Scene s;
  s.handshake();
  s.accept(11);
  const Connection* c = s.one();
  CHECK(c != nullptr && c->established && c->cookie == 11 && !c->outward);
  CHECK(*c->remote_isn == s.client_isn && *c->local_isn == s.server_isn);
  CHECK(c->remote_options.mss == 1460 && c->has_sack() && c->has_timestamps() && c->has_window_scale());
  CHECK(c->remote_options.window_scale == 7 && c->local_options.window_scale == 9 && c->window == 500 << 7);
  CHECK(int32_t(c->fresh_tsval(monotonic_ns()) - s.server_time) >= 1000 && c->fresh_tsval(monotonic_ns()) % 2 == 0);
}

void input_is_what_the_guest_has_not_read() {
  Scene s;
  s.handshake();
  s.accept(11);
  s.in(kAck, 0, text("hello "));
  s.in(kAck, 6, text("world"));
  s.message(abi::kNetConsumed, 11, 4);
  CHECK(holds(s.one()->input, "o world"));
  s.in(kAck, 0, text("hello world"));    // again
  s.in(kAck, 8, text("rld, and more"));  // partly again
  CHECK(holds(s.one()->input, "o world, and more"));
  CHECK(s.one()->received == 21);
}

void replica_may_be_faster_than_the_packet() {
  Scene s;
  s.accept(11);
  s.message(abi::kNetConsumed, 11, 8);
  s.message(abi::kNetSent, 11, 0, text("reply"));
  s.handshake();
  s.in(kAck, 0, text("hello world"), 2);
  const Connection* c = s.one();
  CHECK(s.table.connections().size() == 1);
  CHECK(holds(c->input, "rld") && holds(c->output, "ply"));
}

void segments_behind_a_gap_wait() {
  Scene s;
  s.handshake();
  s.in(kAck, 4, text("4567"));
  s.in(kAck, 10, text("ab"));
  s.in(kAck, 2, text("2345"));  // overlaps what waits
  CHECK(s.one()->received == 0 && s.one()->ahead_bytes == 8);
  s.in(kAck, 0, text("01"));
  CHECK(s.one()->received == 8);
  s.in(kAck | kFin, 12, {});
  CHECK(!s.one()->all_received());
  s.in(kAck, 6, text("6789ab"));
  CHECK(holds(s.one()->input, "0123456789ab") && s.one()->all_received() && s.one()->ahead_bytes == 0);
}

void acknowledged_output_is_dropped() {
  Scene s;
  s.handshake();
  s.accept(11);
  s.message(abi::kNetSent, 11, 0, text("0123456789"));
  s.in(kAck, 0, {}, 4);
  CHECK(holds(s.one()->output, "456789"));
  s.in(kAck, 0, {}, 2);  // an old one
  CHECK(holds(s.one()->output, "456789"));
  // The client is further than the replica: takes effect as the replica gets there.
  s.in(kAck, 0, {}, 12);
  s.in(kAck, 0, {}, 14);
  CHECK(holds(s.one()->output, "456789"));
  s.message(abi::kNetSent, 11, 0, text("abc"));
  CHECK(holds(s.one()->output, "c"));
  // One that was never true has no effect.
  s.in(kAck, 0, {}, 4000);
  s.message(abi::kNetSent, 11, 0, text("def"));
  CHECK(holds(s.one()->output, "ef"));
}

void closing_both_ways_forgets() {
  Scene s;
  s.handshake();
  s.accept(11);
  s.message(abi::kNetSent, 11, 0, text("bye"));
  s.in(kAck | kFin, 0, text("bye"), 0);
  CHECK(s.one()->all_received());
  s.message(abi::kNetConsumed, 11, 3);
  s.message(abi::kNetClose, 11, 0);
  CHECK(s.one() != nullptr);  // its own end is not acknowledged
  s.out(kFin | kAck, 3);
  s.in(kAck, 4, {}, 4);
  CHECK(s.one() == nullptr && s.table.buffered_bytes() == 0);
}

void order_of_closing_does_not_matter() {
  Scene s;
  s.handshake();
  s.accept(11);
  s.out(kFin | kAck, 3);        // the packet is here before the replica's close
  s.in(kAck | kFin, 0, {}, 4);  // simultaneous
  CHECK(s.one() != nullptr && s.one()->is_over());
  s.message(abi::kNetSent, 11, 0, text("bye"));
  s.message(abi::kNetClose, 11, 0);
  CHECK(s.one() == nullptr);
}

void reset_must_be_exact() {
  Scene s;
  s.handshake();
  s.accept(11);
  s.in(kAck, 0, text("abc"));
  s.in(kRst, 100, {});
  CHECK(!s.one()->remote_reset);
  s.in(kRst, 3, {});
  CHECK(s.one()->remote_reset && holds(s.one()->input, "abc"));
  s.message(abi::kNetClose, 11, 0);
  CHECK(s.one() == nullptr);
}

void old_timestamps_are_duplicates() {
  Scene s;
  s.handshake();
  s.client_time += 10;
  s.in(kAck, 0, text("new"));
  s.client_time -= 20;
  s.in(kAck, 3, text("old"));
  CHECK(holds(s.one()->input, "new"));
}

void ports_are_used_again() {
  Scene s;
  s.handshake();
  s.in(kAck, 0, text("first"));
  s.in(kRst, 5, {});
  // The client's second connection from the same port, before the replica has come to the first.
  s.client_isn += 100000;
  s.server_isn += 77777;
  s.syn();
  s.in(kAck, 0, text("no, not answered yet"));
  s.syn_ack();
  s.in(kAck, 0, text("second"));
  s.accept(11);
  s.accept(12);
  const auto all = s.table.connections();
  CHECK(all.size() == 2);
  CHECK(all[0]->cookie == 11 && holds(all[0]->input, "first"));
  CHECK(all[1]->cookie == 12 && holds(all[1]->input, "second"));
  s.message(abi::kNetClose, 11, 0);
  CHECK(s.table.connections().size() == 1);
}

// A child closes the listener that it has from its parent, and the parent the connection that it has given to the child.
void one_process_closing_is_not_the_end() {
  Scene s;
  sockaddr_storage address;
  const uint32_t len = s.server.to(&address, s.server.address.family);
  const auto* bytes = reinterpret_cast<const uint8_t*>(&address);
  s.message(abi::kNetListen, 5, 10, {bytes, bytes + len});
  s.message(abi::kNetClose, 5, 0);
  s.handshake();
  s.accept(11);
  s.message(abi::kNetClose, 11, 0);
  s.message(abi::kNetSent, 11, 0, text("from the child"));
  CHECK(s.table.sockets().contains(5) && s.table.sockets().at(5).listening);
  CHECK(s.one() != nullptr && holds(s.one()->output, "from the child"));
  // What is made and closed all the time does not pile up.
  for (uint64_t cookie = 100; cookie < 5000; cookie++) {
    s.message(abi::kNetBind, cookie, SOCK_DGRAM, {bytes, bytes + len});
    s.message(abi::kNetClose, cookie, 0);
  }
  CHECK(s.table.sockets().size() < 2000 && s.table.sockets().contains(5));
}

void repeated_and_foreign_syns_disturb_nothing() {
  Scene s;
  s.handshake();
  s.in(kAck, 0, text("abc"));
  s.syn();
  s.syn_ack();
  const uint32_t isn = s.client_isn;
  s.client_isn += 5000;  // a SYN that the primary does not answer
  s.syn();
  s.client_isn = isn;
  s.in(kAck, 3, text("def"));
  s.accept(11);
  CHECK(s.table.sockets().at(11).connection->received == 6);
}

void refused_connections_leave_nothing() {
  Scene s;
  s.syn();
  s.out(kRst | kAck, 0);
  CHECK(s.table.connections().empty());
  for (uint16_t port = 1; port < 30000; port++) {
    s.client.port = port;
    s.syn();
  }
  CHECK(s.table.stats().half_open <= 16384);
}

void outward_connections_are_found() {
  for (const bool port_known : {true, false}) {
    for (const bool guest_first : {true, false}) {
      Scene s;
      auto connect = [&] {
        Bytes payload(2 * kNetAddressBytes);
        sockaddr_storage address;
        const uint32_t len = s.client.to(&address, AF_INET);
        memcpy(payload.data(), &len, 4);
        memcpy(&payload[4], &address, len);
        if (port_known) {
          s.server.to(&address, AF_INET);
          memcpy(&payload[kNetAddressBytes], &len, 4);
          memcpy(&payload[kNetAddressBytes + 4], &address, len);
        }
        s.message(abi::kNetConnect, 21, 0, payload);
      };
      if (guest_first) connect();
      TcpPacket syn = s.make(Direction::kOut, kSyn, s.server_isn, 0);
      syn.options.window_scale = 9;
      s.give(Direction::kOut, syn);
      if (!guest_first) connect();
      TcpPacket answer = s.make(Direction::kIn, kSyn | kAck, s.client_isn, s.server_isn + 1);
      s.give(Direction::kIn, answer);
      s.in(kAck, 0, text("hello"));
      const Connection* c = s.one();
      CHECK(s.table.connections().size() == 1);
      CHECK(c != nullptr && c->outward && c->established && c->cookie == 21 && holds(c->input, "hello"));
      CHECK(!c->has_window_scale());
    }
  }
}

void limits_give_up_one_connection() {
  Scene s;
  ConnectionTable& table = s.table;
  s.handshake();
  Bytes chunk(60000);
  for (uint64_t at = 0; at < 80u << 20; at += chunk.size()) s.in(kAck, at, chunk);
  CHECK(!s.one()->lost.empty() && table.buffered_bytes() == 0 && s.said.size() == 1);
}

void garbage_is_harmless() {
  std::mt19937_64 random(seed);
  Scene s;
  s.handshake();
  for (int i = 0; i < 20000; i++) {
    TcpPacket p = s.make(Direction::kIn, uint8_t(random()), uint32_t(random()), uint32_t(random()));
    Bytes bytes = build_tcp(p);
    for (int k = int(random() % 4); k > 0; k--) bytes[random() % bytes.size()] = uint8_t(random());
    bytes.resize(random() % (bytes.size() + 1));
    s.table.packet(random() % 2 == 0 ? Direction::kIn : Direction::kOut, bytes);
  }
}

// A client and a server exchange streams; segments are cut at random, repeated, merged and put out of order; the replica's messages
// come at random moments. What the table holds in the end follows from the streams alone.
void random_streams_match_the_model() {
  std::mt19937_64 random(seed);
  auto below = [&](uint64_t n) { return random() % n; };
  Scene s;
  s.timestamps = below(2) == 0;
  s.client_isn = uint32_t(random());
  s.server_isn = uint32_t(random());
  Bytes input(1 + below(20000)), output(1 + below(20000));
  for (uint8_t& b : input) b = uint8_t(random());
  for (uint8_t& b : output) b = uint8_t(random());
  const bool replica_first = below(3) == 0;
  if (replica_first) s.accept(11);
  s.handshake();
  if (!replica_first) s.accept(11);

  // The primary's kernel has taken this much, in order; the client sends again whatever lies behind.
  uint64_t taken = 0, acked = 0, written = 0, read = 0;
  std::vector<bool> got(input.size());
  const uint64_t acked_max = below(output.size() + 1), written_max = acked_max + below(output.size() - acked_max + 1);
  const uint64_t read_max = below(input.size() + 1);
  const bool fin = below(2) == 0;
  bool fin_sent = false;
  while (taken < input.size() || acked < acked_max || written < written_max || read < read_max || (fin && !fin_sent)) {
    switch (below(4)) {
      case 0: {
        const uint64_t begin = below(4) == 0 ? below(input.size())
                                             : std::min<uint64_t>(taken + below(3000), input.size() - 1);
        const uint64_t len = std::min<uint64_t>(1 + below(below(10) == 0 ? 20000 : 1460), input.size() - begin);
        const bool last = fin && begin + len == input.size();
        s.client_time += uint32_t(below(2));
        s.in(kAck | (last ? kFin : 0), begin,
             {input.begin() + ptrdiff_t(begin), input.begin() + ptrdiff_t(begin + len)}, acked);
        fin_sent |= last;
        for (uint64_t i = begin; i < begin + len; i++) got[i] = true;
        while (taken < input.size() && got[taken]) taken++;
        break;
      }
      case 1:
        acked = std::min(acked_max, acked + below(2000));
        s.in(kAck, taken, {}, acked);
        break;
      case 2: {
        const uint64_t n = std::min(written_max - written, below(3000));
        if (n != 0)
          s.message(abi::kNetSent, 11, 0,
                    {output.begin() + ptrdiff_t(written), output.begin() + ptrdiff_t(written + n)});
        written += n;
        break;
      }
      default: {
        const uint64_t n = std::min(read_max - read, below(3000));
        if (n != 0) s.message(abi::kNetConsumed, 11, n);
        read += n;
      }
    }
  }
  const Connection* c = s.one();
  CHECK(c != nullptr && s.table.connections().size() == 1);
  CHECK(c->received == input.size() && c->consumed == read && c->ahead_bytes == 0);
  const auto unread = c->input.view();
  CHECK(Bytes(unread.begin(), unread.end()) == Bytes(input.begin() + ptrdiff_t(read), input.end()));
  const auto unacked = c->output.view();
  CHECK(c->acknowledged == acked);
  CHECK(Bytes(unacked.begin(), unacked.end()) ==
        Bytes(output.begin() + ptrdiff_t(acked), output.begin() + ptrdiff_t(written)));
  CHECK(c->all_received() == fin);
  CHECK(s.table.buffered_bytes() == c->bytes());
}

}  // namespace

int main(int argc, char** argv) {
  packets_survive_building_and_parsing();
  handshake_gives_numbers_and_options();
  input_is_what_the_guest_has_not_read();
  replica_may_be_faster_than_the_packet();
  segments_behind_a_gap_wait();
  acknowledged_output_is_dropped();
  closing_both_ways_forgets();
  order_of_closing_does_not_matter();
  reset_must_be_exact();
  old_timestamps_are_duplicates();
  ports_are_used_again();
  one_process_closing_is_not_the_end();
  repeated_and_foreign_syns_disturb_nothing();
  refused_connections_leave_nothing();
  outward_connections_are_found();
  limits_give_up_one_connection();
  const uint64_t first = argc > 1 ? strtoull(argv[1], nullptr, 10) : std::random_device{}();
  for (seed = first; seed < first + (argc > 1 ? 1 : 300) && failures == 0; seed++) {
    garbage_is_harmless();
    random_streams_match_the_model();
  }
  if (failures == 0) printf("net table: all passed (seeds from %llu)\n", static_cast<unsigned long long>(first));
  return failures == 0 ? 0 : 1;
}
